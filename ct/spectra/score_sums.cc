#include "ct/spectra/score_sums.h"

#include <algorithm>
#include <cmath>

#include "ct/basis.h"
#include "ct/spectra/spectrum.h"
#include "tensor/kernels/eigen/eigen.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

// Four partial sums hide the latency of an addition.
double Dot(const std::vector<double>& x, const std::vector<double>& y) {
  double sums[4] = {};
  const size_t whole = x.size() / 4 * 4;
  for (size_t i = 0; i < whole; i += 4) {
    for (size_t j = 0; j < 4; ++j) sums[j] += x[i + j] * y[i + j];
  }
  for (size_t i = whole; i < x.size(); ++i) sums[0] += x[i] * y[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

ScoreSums SumScores(Columns columns) {
  const Index n = static_cast<Index>(columns.at(0).size()), k = static_cast<Index>(columns.size());
  ScoreSums sums;
  sums.rows = n;
  for (std::vector<double>& power : sums.powers) power.assign(k, 0.0);
  sums.covariance.assign(k * k, 0.0);
  ParallelFor(k, [&](Index c) {
    for (const double s : columns[c]) {
      sums.powers[0][c] += s;
      sums.powers[1][c] += s * s;
      sums.powers[2][c] += s * s * s;
      sums.powers[3][c] += s * s * s * s;
    }
    const double mean = sums.powers[0][c] / static_cast<double>(n);
    for (double& s : columns[c]) s -= mean;
  });
  ParallelFor(k, [&](Index i) {
    for (Index j = 0; j <= i; ++j) sums.covariance[i * k + j] = Dot(columns[i], columns[j]);
  });
  for (Index i = 0; i < k; ++i) {
    for (Index j = i + 1; j < k; ++j) sums.covariance[i * k + j] = sums.covariance[j * k + i];
  }
  return sums;
}

// With means m and m' of n and n' rows, the stack's Σ(s − mean)(s − mean)ᵀ is the sum of both plus
// n·n'/(n + n')·(m − m')(m − m')ᵀ.
void ScoreSums::Add(const ScoreSums& other) {
  if (rows == 0) {
    *this = other;
    return;
  }
  const double n = static_cast<double>(rows), m = static_cast<double>(other.rows);
  const Index size = k();
  std::vector<double> apart(size);
  for (Index i = 0; i < size; ++i) apart[i] = powers[0][i] / n - other.powers[0][i] / m;
  for (Index i = 0; i < size; ++i) {
    for (Index j = 0; j < size; ++j) {
      covariance[i * size + j] += other.covariance[i * size + j] + n * m / (n + m) * apart[i] * apart[j];
    }
  }
  for (int p = 0; p < 4; ++p) {
    for (Index i = 0; i < size; ++i) powers[p][i] += other.powers[p][i];
  }
  rows += other.rows;
}

std::vector<double> LeadingCovariance(const ScoreSums& sums, Index k) {
  std::vector<double> leading(k * k);
  for (Index i = 0; i < k; ++i) std::copy_n(&sums.covariance[i * sums.k()], k, &leading[i * k]);
  return leading;
}

double LargestCorrelation(const std::vector<double>& covariance, Index k) {
  double largest = 0;
  for (Index i = 0; i < k; ++i) {
    for (Index j = 0; j < i; ++j) {
      const double scale = std::sqrt(covariance[i * k + i] * covariance[j * k + j]);
      if (scale > 0) largest = std::max(largest, std::abs(covariance[i * k + j]) / scale);
    }
  }
  return largest;
}

double ExcessKurtosis(double count, const double (&powers)[4]) {
  const double mean = powers[0] / count, p2 = powers[1] / count, p3 = powers[2] / count, p4 = powers[3] / count;
  const double m2 = p2 - mean * mean;
  const double m4 = p4 - 4 * mean * p3 + 6 * mean * mean * p2 - 3 * mean * mean * mean * mean;
  return m2 > 0 ? m4 / (m2 * m2) - 3 : 0;
}

ScoreSums SumScores(const RowSource& source, const Basis& basis) {
  const RowReader reader(source);
  const auto rows_of = [&reader](size_t, Index begin, Index end) { return reader.Rows(begin, end); };
  return SumScores(ScoreColumns({source.rows, -1, 1}, 0, rows_of, basis));
}

ScoreFigures FiguresOf(const ScoreSums& sums, Index k) {
  const std::vector<double> covariance = LeadingCovariance(sums, k);
  const std::vector<double> eigenvalues = DecomposeSymmetric(covariance, k, 0).values;
  double powers[4];
  for (int p = 0; p < 4; ++p) {
    powers[p] = 0;
    for (Index c = 0; c < k; ++c) powers[p] += sums.powers[p][c];
  }
  return {.amplitude_pr = ParticipationRatio(eigenvalues),
          .pc1 = FirstShare(eigenvalues),
          .n95 = CountFor95(eigenvalues),
          .max_corr = LargestCorrelation(covariance, k),
          .kurtosis = ExcessKurtosis(static_cast<double>(sums.rows) * static_cast<double>(k), powers)};
}

}  // namespace ampgrad::ct
