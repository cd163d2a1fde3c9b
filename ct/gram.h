#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace ampgrad::ct {

/// The rows [n, d] less `mean` [d], as a copy.
Tensor Centred(const Tensor& rows, const Tensor& mean);

/// Rows of one partial Gram product. The sums of a product are in Real: over runs of kernels::kDepth rows,
/// then over the runs. These rows are enough for the product to cost far more than its addition in double, and few
/// enough for the rounding error to stay near that of one run.
inline constexpr Index kGramRows = 2048;

/// The upper triangle of gram [d, d] += repeats·rowsᵀ·rows, for rows [n, d]; entries below it must not be read. Blocks
/// of kGramRows rows are multiplied in Real and summed in double, one after another.
void AddGram(const Tensor& rows, double repeats, std::vector<double>& gram);

/// The same once, of the rows less `mean` [d] where there is one, with products and sums in double, each sum in the
/// order of the rows: slower, for what needs σ below 3e-4·σ₁, which products in float lose as the Gram matrix holds σ².
void AddGramInDouble(const Tensor& rows, std::vector<double>& gram, const std::vector<double>& mean = {});

/// Which end of a spectrum.
enum class Spectrum { kTop, kBottom };

/// All eigenvalues of a Gram matrix [d, d], descending, and r eigenvectors [r, d] as rows: those of the largest ones,
/// descending, or of the smallest ones, ascending. Entries of the Gram matrix below the diagonal need only be finite.
/// r is in 0..d. Throws as `DecomposeSymmetric` does.
struct GramEigen {
  std::vector<double> values;  // [d]
  Tensor vectors;              // [r, d]
};
GramEigen DecomposeGram(const std::vector<double>& gram, Index d, Index r, Spectrum end);

}  // namespace ampgrad::ct
