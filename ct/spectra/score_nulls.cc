#include "ct/spectra/score_nulls.h"

#include <cmath>

#include "ct/basis.h"
#include "ct/spectra/spectrum.h"
#include "tensor/kernels/eigen/eigen.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

// The most numbers that a draw permutes, and the most products of its covariance: 200 draws take about a second.
constexpr Index kMostPermuted = 1 << 16, kMostProducts = 1 << 22;

// From this many rows on, sums of powers of Gaussian numbers count as normal.
constexpr Index kManyRows = 1 << 10;

void SetDraw(ScoreNull& null, int draw, const std::vector<double>& covariance, Index k) {
  const std::vector<double> eigenvalues = DecomposeSymmetric(covariance, k, 0).values;
  null.amplitude_pr[draw] = ParticipationRatio(eigenvalues);
  null.pc1[draw] = FirstShare(eigenvalues);
  null.max_corr[draw] = LargestCorrelation(covariance, k);
}

// The covariance sums of the leading columns, each permuted on its own.
std::vector<double> Permuted(const Columns& columns, uint64_t seed, uint64_t stream) {
  const Index k = static_cast<Index>(columns.size()), n = static_cast<Index>(columns[0].size());
  Columns permuted(k, std::vector<double>(n));
  for (Index c = 0; c < k; ++c) {
    const std::vector<Index> order = Random(seed, stream + static_cast<uint64_t>(c)).Permutation(n);
    for (Index r = 0; r < n; ++r) permuted[c][r] = columns[c][order[r]];
  }
  std::vector<double> covariance(k * k);
  for (Index i = 0; i < k; ++i) {
    for (Index j = 0; j <= i; ++j) {
      double sum = 0;
      for (Index r = 0; r < n; ++r) sum += permuted[i][r] * permuted[j][r];
      covariance[i * k + j] = covariance[j * k + i] = sum;
    }
  }
  return covariance;
}

// Covariance sums with the columns' own variances and random correlations.
std::vector<double> WithRandomCorrelations(const ScoreSums& sums, Index k, const Random& random) {
  std::vector<double> covariance(k * k);
  const double deviation = 1 / std::sqrt(static_cast<double>(sums.rows - 1));
  uint64_t n = 0;
  for (Index i = 0; i < k; ++i) {
    covariance[i * k + i] = sums.covariance[i * sums.k() + i];
    for (Index j = 0; j < i; ++j) {
      const double scale = std::sqrt(sums.covariance[i * sums.k() + i] * sums.covariance[j * sums.k() + j]);
      covariance[i * k + j] = covariance[j * k + i] = scale * deviation * random.Normal(n++);
    }
  }
  return covariance;
}

Columns CentredColumns(const Columns& scores, const ScoreSums& sums, Index k) {
  Columns columns(scores.begin(), scores.begin() + k);
  for (Index c = 0; c < k; ++c) {
    const double mean = sums.powers[0][c] / static_cast<double>(sums.rows);
    for (double& s : columns[c]) s -= mean;
  }
  return columns;
}

// Σ z, Σ z², Σ z³ and Σ z⁴ of n standard normal numbers: drawn one by one, or from the normal limit of the four sums,
// whose covariance per number is Var z = 1, Var z² = 2, Var z³ = 15, Var z⁴ = 96, Cov(z, z³) = 3, Cov(z², z⁴) = 12.
void DrawPowerSums(Index n, const Random& random, double (&powers)[4]) {
  for (double& power : powers) power = 0;
  if (n < kManyRows) {
    for (Index i = 0; i < n; ++i) {
      const double z = random.Normal(static_cast<uint64_t>(i));
      powers[0] += z;
      powers[1] += z * z;
      powers[2] += z * z * z;
      powers[3] += z * z * z * z;
    }
    return;
  }
  const double count = static_cast<double>(n), root = std::sqrt(count);
  const double a = random.Normal(0), b = random.Normal(1), c = random.Normal(2), d = random.Normal(3);
  powers[0] = root * a;
  powers[1] = count + root * std::sqrt(2.0) * b;
  powers[2] = root * (3 * a + std::sqrt(6.0) * c);
  powers[3] = 3 * count + root * (6 * std::sqrt(2.0) * b + std::sqrt(24.0) * d);
}

}  // namespace

ScoreNull DrawScoreNull(const Columns& scores, const ScoreSums& sums, Index k, int draws, uint64_t seed,
                        uint64_t stream) {
  const auto empty = std::vector<double>(draws);
  ScoreNull null{empty, empty, empty, sums.rows * k <= kMostPermuted && sums.rows * k * k <= kMostProducts};
  const Columns columns = null.permuted ? CentredColumns(scores, sums, k) : Columns();
  ParallelFor(draws, [&](Index draw) {
    const uint64_t own = stream + static_cast<uint64_t>(draw * k);
    const std::vector<double> covariance =
        null.permuted ? Permuted(columns, seed, own) : WithRandomCorrelations(sums, k, Random(seed, own));
    SetDraw(null, static_cast<int>(draw), covariance, k);
  });
  return null;
}

std::vector<double> DrawKurtosisNull(const ScoreSums& sums, Index k, int draws, uint64_t seed, uint64_t stream) {
  std::vector<double> kurtosis(draws);
  const double n = static_cast<double>(sums.rows);
  ParallelFor(draws, [&](Index draw) {
    double all[4] = {};
    for (Index c = 0; c < k; ++c) {
      double z[4];
      DrawPowerSums(sums.rows, Random(seed, stream + static_cast<uint64_t>(draw * k + c)), z);
      const double m = sums.powers[0][c] / n;
      const double s = std::sqrt(sums.covariance[c * sums.k() + c] / n);
      // Powers of m + s·z.
      all[0] += n * m + s * z[0];
      all[1] += n * m * m + 2 * m * s * z[0] + s * s * z[1];
      all[2] += n * m * m * m + 3 * m * m * s * z[0] + 3 * m * s * s * z[1] + s * s * s * z[2];
      all[3] += n * m * m * m * m + 4 * m * m * m * s * z[0] + 6 * m * m * s * s * z[1] + 4 * m * s * s * s * z[2] +
                s * s * s * s * z[3];
    }
    kurtosis[draw] = ExcessKurtosis(n * static_cast<double>(k), all);
  });
  return kurtosis;
}

}  // namespace ampgrad::ct
