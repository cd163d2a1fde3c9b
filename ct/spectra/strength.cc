#include "ct/spectra/strength.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ampgrad::ct {
namespace {

constexpr double kKnown = std::numeric_limits<double>::infinity();

// The deviation of chance, from the level that AgainstNormal sets.
double DeviationOf(const Figure& figure) { return (figure.level - figure.null) / kTwoSidedPoint; }

}  // namespace

void NormPool::Add(const std::vector<double>& row_squares) {
  for (const double square : row_squares) {
    sum += square;
    squares += square * square;
  }
  rows += static_cast<double>(row_squares.size());
}

Figure StrengthInPool(const std::vector<double>& row_squares, const NormPool& pool) {
  NormPool own;
  own.Add(row_squares);
  const double mean = pool.sum / pool.rows;
  if (!(mean > 0) || own.rows == 0) return {};
  const double value = own.sum / own.rows / mean;
  if (own.rows >= pool.rows) return Untested(value, 1);
  const double variance = pool.squares / pool.rows - mean * mean;
  const double sampled = variance / own.rows * (pool.rows - own.rows) / (pool.rows - 1);
  return AgainstNormal(value, 1, std::sqrt(std::max(0.0, sampled)) / mean, kKnown, Structure::kBoth);
}

Figure MeanStrength(const std::vector<Figure>& strengths) {
  double value = 0, variance = 0, count = 0;
  for (const Figure& strength : strengths) {
    if (!strength.tested()) continue;
    value += strength.value;
    variance += DeviationOf(strength) * DeviationOf(strength);
    ++count;
  }
  if (count == 0) return {};
  return AgainstNormal(value / count, 1, std::sqrt(variance) / count, kKnown, Structure::kBoth);
}

}  // namespace ampgrad::ct
