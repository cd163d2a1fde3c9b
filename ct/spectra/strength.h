#pragma once

#include <vector>

#include "ct/spectra/figure.h"

namespace ampgrad::ct {

/// Squared norms of rows: how many, their sum, and the sum of their squares.
struct NormPool {
  double rows = 0, sum = 0, squares = 0;

  void Add(const std::vector<double>& row_squares);
};

/// The mean squared norm of some rows, relative to that of the pool that they belong to. Chance deals the pool's rows
/// out at random: mean 1, and the variance of a sample without replacement. Not tested when they are the whole pool.
Figure StrengthInPool(const std::vector<double>& row_squares, const NormPool& pool);

/// The mean of independent strengths.
Figure MeanStrength(const std::vector<Figure>& strengths);

}  // namespace ampgrad::ct
