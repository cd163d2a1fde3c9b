#include "ct/reconstruct.h"

#include "autograd/check.h"
#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::ct {

// Reconstruct   W = S·B + C
//   shapes    S [n, K]   B [K, d]   C [d] or [n, d]   W [n, d]
//   forward   W_ij = Σ_k S_ik B_kj + C_ij, every C_ij widened to Real if C is not
//   backward  dS += dW·Bᵀ   [n, d]·[d, K] → [n, K]     (C drops out; dB and dC are never formed)
//   saves     B, shared by all matrices of the model: 0 bytes of its own; neither S nor W is read again
Var Reconstruct(const Var& s, const Tensor& b, const Centre& c) {
  const Index n = s.shape().rows(), k = s.shape().cols(), d = b.cols();
  ops::CheckShapes(
      s.shape().rank() == 2 && b.shape() == Shape{k, d} && (c.shape() == Shape{d} || c.shape() == Shape{n, d}),
      "reconstruct", "S [n, K], B [K, d], C [d] or [n, d]", {{"S", s.shape()}, {"B", b.shape()}, {"C", c.shape()}});

  Tensor w = Tensor::Uninitialized({n, d});
  kernels::Gemm(n, d, k, {s.value.data(), k}, {b.data(), d}, c.WidenedIn(w), w.data(), d);

  return s.tape->Record("reconstruct", w, {&s}, [b](const Tensor& dw, InputGrads& d_in) {
    kernels::ProductNT(dw, b, d_in.AddTo(0));  // dS += dW·Bᵀ
  });
}

}  // namespace ampgrad::ct
