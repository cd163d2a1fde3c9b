#pragma once

#include "autograd/ops.h"
#include "ct/centre.h"

/// The factored chain. Because W = S·B + C, the gradient of the scores needs no dW:
///   dS = dW·Bᵀ = (dYᵀ·X)·Bᵀ = dYᵀ·(X·Bᵀ)
/// X·Bᵀ [N, K] is the same for all matrices that read X: this is the benefit of a universal basis.
namespace ampgrad::ct {

/// S' = (S | 1) [n, K+1] of the scores S [n, K]. With the mean row as one more vector of the basis, B' = (B; μ), the
/// reconstruction S·B + μ is the plain product S'·B', so that x·Wᵀ = (x·B'ᵀ)·S'ᵀ is two narrow products.
Var AppendOnes(const Var& scores);

/// x·Wᵀ + b (Layout::kOutIn) or x·W + b (Layout::kInOut) with W = S·B + C, whose backward forms no dW.
/// x [N, d] or [N, n], S [n, K], B [K, d], C [n, d]; `projection` is x·Bᵀ [N, K] for kOutIn and unused for kInOut;
/// `bias` may be null. Throws std::invalid_argument when shapes do not fit.
Var FactoredLinear(const Var& x, const Tensor& projection, const Var& scores, const Tensor& basis, const Centre& centre,
                   ops::Layout layout, const Var* bias);

}  // namespace ampgrad::ct
