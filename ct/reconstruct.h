#pragma once

#include "autograd/tape.h"
#include "ct/centre.h"

namespace ampgrad::ct {

/// The op that the project is about:  W = S·B + C, whose backward is dS = dW·Bᵀ.
/// S [n, K] scores   B [K, d] universal basis   C [d], one row for all (the mean row μ), or [n, d] (the pretrained W₀)
/// → W [n, d]. B and C are constants. Throws std::invalid_argument when shapes do not fit.
Var Reconstruct(const Var& scores, const Tensor& basis, const Centre& centre);

}  // namespace ampgrad::ct
