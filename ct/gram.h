#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace ampgrad::ct {

/// The rows [n, d] less `mean` [d], as a copy.
Tensor Centred(const Tensor& rows, const Tensor& mean);

/// Most rows to add to a Gram matrix at once. The sums of a product are in Real: over runs of kernels::kDepth rows,
/// then over the runs. These rows are enough for the product to cost far more than its addition in double, and few
/// enough for the rounding error to stay near that of one run.
inline constexpr Index kGramRows = 2048;

/// The upper triangle of gram [d, d] += repeats·rowsᵀ·rows, for at most kGramRows rows [n, d]; entries below it must
/// not be read.
void AddGram(const Tensor& rows, double repeats, std::vector<double>& gram);

}  // namespace ampgrad::ct
