#pragma once

#include <vector>

#include "ct/gram.h"

namespace ampgrad::ct {

/// Some singular triplets of a matrix: W ≈ Uᵀ·diag(σ)·V.
struct SingularTriplets {
  Tensor left;                 // Uᵀ [r, out]: orthonormal rows; a row of zeros where σ is 0
  std::vector<double> values;  // σ [r]
  Tensor right;                // V [r, in]: orthonormal rows; a row of zeros where σ is 0
};

/// The r largest singular values of W [out, in], descending, or the r smallest of its min(out, in), ascending, with
/// their vectors. They come from the Gram matrix of the shorter side. Throws std::invalid_argument when r is not in
/// 1..min(out, in).
SingularTriplets ComputeSingular(const Tensor& w, Index r, Spectrum end);

/// K random orthonormal rows [K, d], K <= d: normal numbers of Random(seed, stream), orthogonalised in double. The
/// first rows are the same for every K.
Tensor RandomOrthonormal(Index k, Index d, uint64_t seed, uint64_t stream);

}  // namespace ampgrad::ct
