#include "ct/factored.h"

#include <algorithm>

#include "autograd/check.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ct {

// AppendOnes   S' = (S | 1)
//   shapes    S [n, K]   S' [n, K+1]
//   forward   S'_ik = S_ik,  S'_i,K+1 = 1
//   backward  dS += dS' without its last column
//   saves     nothing
Var AppendOnes(const Var& s) {
  ops::CheckShapes(s.shape().rank() == 2, "append_ones", "S [n, K]", {{"S", s.shape()}});
  const Index n = s.shape().rows(), k = s.shape().cols();

  Tensor extended = Tensor::Uninitialized({n, k + 1});
  for (Index i = 0; i < n; ++i) *std::copy_n(s.value.row(i), k, extended.row(i)) = 1;

  return s.tape->Record("append_ones", extended, {&s}, [n, k](const Tensor& d_extended, InputGrads& d) {
    const kernels::Sink ds = d.AddTo(0);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < k; ++j) {
        ds.to[i * k + j] = (ds.onto ? ds.onto[i * k + j] : Real(0)) + d_extended.row(i)[j];
      }
    }
  });
}

// FactoredLinear   y = x·Wᵀ + b   (Layout::kOutIn)      y = x·W + b   (Layout::kInOut)      W = S·B + C
//   shapes    S [n, K]   B [K, d]   C, W [n, d]   x [N, d] or [N, n]   y [N, n] or [N, d]   b as wide as y
//             P = x·Bᵀ [N, K], for kOutIn
//   forward   W as in Reconstruct, then the product
//   backward  dx += dy·W  or dy·Wᵀ;   dS += dyᵀ·P  or xᵀ·(dy·Bᵀ);   db += Σ_n dy_n;   dW (n·d) is never formed
//   saves     W if x needs a gradient; P (N·K) or x if S does; B, shared by all matrices of the model
Var FactoredLinear(const Var& x, const Tensor& p, const Var& s, const Tensor& b, const Centre& c, ops::Layout layout,
                   const Var* bias) {
  const bool out_in = layout == ops::Layout::kOutIn;
  const Index n = s.shape().rows(), k = s.shape().cols(), d = b.cols(), rows = x.shape().rows();
  ops::CheckShapes(s.shape().rank() == 2 && b.shape() == Shape{k, d} && c.shape() == Shape{n, d} &&
                       x.shape() == Shape{rows, out_in ? d : n},
                   "factored_linear",
                   out_in ? "x [N, d], S [n, K], B [K, d], C [n, d]" : "x [N, n], S [n, K], B [K, d], C [n, d]",
                   {{"x", x.shape()}, {"S", s.shape()}, {"B", b.shape()}, {"C", c.shape()}});
  if (out_in) {
    ops::CheckShapes(p.shape() == Shape{rows, k}, "factored_linear", "P [N, K]",
                     {{"P", p.shape()}, {"x", x.shape()}, {"S", s.shape()}});
  }
  const Index out = out_in ? n : d;
  if (bias) ops::CheckShapes(bias->shape() == Shape{out}, "factored_linear", "b as wide as y", {{"b", bias->shape()}});

  Tensor w = Tensor::Uninitialized({n, d}), y = Tensor::Uninitialized({rows, out});
  kernels::Gemm(n, d, k, {s.value.data(), k}, {b.data(), d}, c.WidenedIn(w), w.data(), d);
  kernels::Gemm(rows, out, x.shape().cols(), {x.value.data(), x.shape().cols()}, {w.data(), d, out_in},
                {bias ? bias->value.data() : nullptr, 0}, y.data(), out);

  const Tensor left = !s.needs_grad() ? Tensor() : out_in ? p : x.value;
  const auto backward = [out_in, b, left, w = x.needs_grad() ? w : Tensor()](const Tensor& dy, InputGrads& d_in) {
    if (const kernels::Sink dx = d_in.AddTo(0)) out_in ? kernels::ProductNN(dy, w, dx) : kernels::ProductNT(dy, w, dx);
    if (const kernels::Sink ds = d_in.AddTo(1)) {
      if (out_in) {
        kernels::ProductTN(dy, left, ds);
      } else {
        Tensor dy_projected = Tensor::Uninitialized({dy.rows(), b.rows()});
        kernels::ProductNT(dy, b, {dy_projected.data()});
        kernels::ProductTN(left, dy_projected, ds);
      }
    }
    if (Tensor* db = d_in.AddWithin(2)) kernels::AddColumnSums(dy.data(), dy.rows(), dy.cols(), db->data());
  };
  return x.tape->Record("factored_linear", y, {&x, &s, bias}, backward);
}

}  // namespace ampgrad::ct
