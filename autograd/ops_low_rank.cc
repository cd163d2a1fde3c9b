#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {

// AddProduct   W = C + B·A
//   shapes    C [n, d], a constant   B [n, r]   A [r, d]   W [n, d]
//   forward   W_ij = C_ij + Σ_k B_ik A_kj
//   backward  dB += dW·Aᵀ,  dA += Bᵀ·dW
//   saves     A if B needs a gradient, B if A does
Var AddProduct(const Tensor& c, const Var& b, const Var& a) {
  const Index n = b.shape().rows(), r = b.shape().cols(), d = a.shape().cols();
  CheckShapes(b.shape().rank() == 2 && a.shape() == Shape{r, d} && c.shape() == Shape{n, d}, "add_product",
              "C [n, d], B [n, r], A [r, d]", {{"C", c.shape()}, {"B", b.shape()}, {"A", a.shape()}});

  Tensor w = Tensor::Uninitialized({n, d});
  kernels::Gemm(n, d, r, {b.value.data(), r}, {a.value.data(), d}, {c.data(), d}, w.data(), d);

  const auto backward = [a = b.needs_grad() ? a.value : Tensor(), b = a.needs_grad() ? b.value : Tensor()](
                            const Tensor& dw, InputGrads& d_in) {
    if (const kernels::Sink db = d_in.AddTo(0)) kernels::ProductNT(dw, a, db);
    if (const kernels::Sink da = d_in.AddTo(1)) kernels::ProductTN(b, dw, da);
  };
  return b.tape->Record("add_product", w, {&b, &a}, backward);
}

// LowRankLinear   y = x·W₀ᵀ + P·Bᵀ + b   (Layout::kOutIn)      y = x·W₀ + P·Bᵀ + b   (Layout::kInOut)
//   shapes    x [N, in]   W₀ [out, in] or [in, out], of any stored type   P [N, r]   B [out, r]   b [out]   y [N, out]
//   forward   y_no = Σ_i x_ni W₀_oi + Σ_k P_nk B_ok + b_o
//   backward  dx += dy·W₀  or dy·W₀ᵀ;   dP += dy·B;   dB += dyᵀ·P;   db += Σ_n dy_n;   W₀ is a constant
//   saves     W₀, in its place; B if P needs a gradient, P if B does
Var LowRankLinear(const Var& x, const StoredTensor& w, Layout layout, const Var& p, const Var& b, const Var* bias) {
  const bool out_in = layout == Layout::kOutIn;
  const Index in = w.shape().dim(out_in ? 1 : 0), out = w.shape().dim(out_in ? 0 : 1), rows = x.shape().rows();
  const Index r = b.shape().cols();
  CheckShapes(w.shape().rank() == 2 && x.shape() == Shape{rows, in} && p.shape() == Shape{rows, r} &&
                  b.shape() == Shape{out, r},
              "low_rank_linear",
              out_in ? "x [N, in], W [out, in], P [N, r], B [out, r]" : "x [N, in], W [in, out], P [N, r], B [out, r]",
              {{"x", x.shape()}, {"W", w.shape()}, {"P", p.shape()}, {"B", b.shape()}});
  if (bias) CheckShapes(bias->shape() == Shape{out}, "low_rank_linear", "b [out]", {{"b", bias->shape()}});

  Tensor y = Tensor::Uninitialized({rows, out});
  kernels::Gemm(rows, out, in, {x.value.data(), in}, kernels::OperandOf(w, out_in),
                {bias ? bias->value.data() : nullptr, 0}, y.data(), out);
  kernels::ProductNT(p.value, b.value, {y.data(), y.data()});

  const auto backward = [w, out_in, in, out, p = b.needs_grad() ? p.value : Tensor(),
                         b = p.needs_grad() ? b.value : Tensor()](const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink dx = d.AddTo(0)) {
      kernels::Gemm(dy.rows(), in, out, {dy.data(), out}, kernels::OperandOf(w, !out_in), {dx.onto, in}, dx.to, in);
    }
    if (const kernels::Sink dp = d.AddTo(1)) kernels::ProductNN(dy, b, dp);
    if (const kernels::Sink db = d.AddTo(2)) kernels::ProductTN(dy, p, db);
    if (Tensor* dbias = d.AddWithin(3)) kernels::AddColumnSums(dy.data(), dy.rows(), dy.cols(), dbias->data());
  };
  return x.tape->Record("low_rank_linear", y, {&x, &p, &b, bias}, backward);
}

}  // namespace ampgrad::ops
