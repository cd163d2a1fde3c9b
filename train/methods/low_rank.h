#pragma once

#include <vector>

#include "nn/forms/low_rank.h"
#include "train/methods/method.h"

/// What the methods of low rank share.
namespace ampgrad::train {

/// The factors A [r, in] and B [out, r] at step 0 of an update that starts at zero: one from settings.factors, the
/// other zero. The rows of A are what the source gives; with the universal basis, they are B's columns for a matrix of
/// which only `out` is the model's width. Throws std::invalid_argument when the rank is larger than the matrix or the
/// basis allows, and where a basis is asked for and no side of the matrix has its width.
nn::Factors MakeFactors(const nn::Matrix& matrix, const MethodSettings& settings, const Bases& bases);

/// Factors of an update that stay frozen, or that the update starts from.
struct FrozenPair {
  Tensor a;                    // A [r, in], orthonormal rows
  Tensor b;                    // B [out, r], orthonormal columns
  std::vector<double> values;  // σ [r] of singular vectors; else empty
};

/// Singular vectors of the matrix, the top ones by default, or random orthonormal ones. Throws std::invalid_argument
/// when settings ask for other factors, or when the rank is larger than the matrix allows.
FrozenPair MakeFrozenPair(const nn::Matrix& matrix, const MethodSettings& settings);

/// Whether the universal basis of width d takes the place of B, not of A.
bool BasisIsB(const nn::Matrix& matrix, Index d);

}  // namespace ampgrad::train
