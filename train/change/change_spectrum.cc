#include "train/change/change_spectrum.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ct/basis.h"

namespace ampgrad::train {
double RankFloor(double sigma1, Index rows, Index width, double rounding) {
  const double size = static_cast<double>(std::max(rows, width));
  const double arithmetic = size * static_cast<double>(std::numeric_limits<Real>::epsilon());
  const double squared = std::sqrt(size * std::numeric_limits<double>::epsilon());
  return std::max(sigma1 * std::max(arithmetic, squared), rounding);
}

ChangeSpectrum SpectrumOf(const std::vector<double>& eigenvalues, Index rows, Index width, double rounding) {
  std::vector<double> squares = eigenvalues;
  double total = 0;
  for (double& square : squares) total += square = std::max(0.0, square);
  ChangeSpectrum spectrum;
  if (!(total > 0)) return spectrum;
  double entropy = 0;
  for (const double square : squares) {
    const double p = square / total;
    if (p > 0) entropy -= p * std::log(p);
  }
  spectrum.effective_rank = std::exp(entropy);
  spectrum.participation_ratio = ct::ParticipationRatio(squares);
  spectrum.stable_rank = total / squares.front();
  spectrum.floor = RankFloor(std::sqrt(squares.front()), rows, width, rounding);
  for (const double square : squares) spectrum.rank += std::sqrt(square) > spectrum.floor;
  for (size_t i = 0; i < std::min(kKeptValues, squares.size()); ++i) spectrum.values.push_back(std::sqrt(squares[i]));
  return spectrum;
}

void RoundingNorm::Add(double epsilon, double largest_row, const std::vector<double>& columns) {
  row_ = std::max(row_, epsilon * epsilon * largest_row);
  for (size_t j = 0; j < columns.size(); ++j) columns_[j] += epsilon * epsilon * columns[j];
}

double RoundingNorm::Value() const {
  return (std::sqrt(row_) + std::sqrt(*std::max_element(columns_.begin(), columns_.end()))) / 2;
}

RandomShare ShareOfRandomSpan(Index k, Index d, double participation_ratio) {
  const double dim = static_cast<double>(d), part = static_cast<double>(k);
  if (k >= d) return {1, 1};  // the whole space
  const double spread = std::max(0.0, 1 / participation_ratio - 1 / dim);
  const double variance = 2 * part * (dim - part) / ((dim - 1) * dim * (dim + 2)) * spread;
  constexpr double kNormal95 = 1.6448536269514722;
  return {part / dim, std::min(1.0, part / dim + kNormal95 * std::sqrt(variance))};
}

}  // namespace ampgrad::train
