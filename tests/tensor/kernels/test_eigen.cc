#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tensor/kernels/eigen/eigen.h"
#include "tensor/kernels/simd/simd_target.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"

namespace ampgrad {
namespace {

using Matrix = std::vector<double>;  // [n, n]

Matrix RandomSymmetric(Index n, uint64_t stream) {
  const Random random(7, stream);
  Matrix a(n * n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j <= i; ++j) a[i * n + j] = a[j * n + i] = random.Normal(static_cast<uint64_t>(i * n + j));
  }
  return a;
}

// LAPACK's two test ratios: residual and orthogonality, in units of n·‖A‖·ε and n·ε. LAPACK's own tests accept up to 60
// (TESTING/sep.in). The sums of the eigenvalues and of their squares are tr(A) and ‖A‖².
void ExpectDecomposes(const Matrix& a, Index n, Index wanted) {
  constexpr double kRatio = 35, kEps = std::numeric_limits<double>::epsilon();
  const SymmetricEigen eigen = DecomposeSymmetric(a, n, wanted);
  ASSERT_EQ(eigen.values.size(), static_cast<size_t>(n));
  ASSERT_EQ(eigen.vectors.size(), static_cast<size_t>(wanted * n));
  double squares = 0, residual = 0, orthogonality = 0, trace = 0, square_sum = 0;
  for (const double x : a) squares += x * x;
  for (Index i = 0; i < n; ++i) {
    trace += a[i * n + i] - eigen.values[i];
    square_sum += eigen.values[i] * eigen.values[i];
    EXPECT_LE(eigen.values[i], eigen.values[std::max<Index>(i - 1, 0)]);
  }
  for (Index i = 0; i < wanted; ++i) {
    const double* v = &eigen.vectors[i * n];
    for (Index r = 0; r < n; ++r) {
      double av = 0;
      for (Index c = 0; c < n; ++c) av += a[r * n + c] * v[c];
      residual += std::pow(av - eigen.values[i] * v[r], 2);
    }
    for (Index j = 0; j <= i; ++j) {
      double dot = i == j ? -1 : 0;
      for (Index c = 0; c < n; ++c) dot += v[c] * eigen.vectors[j * n + c];
      if (!(std::abs(dot) <= orthogonality)) orthogonality = std::abs(dot);
    }
  }
  const double bound = kRatio * static_cast<double>(n) * kEps, norm = std::sqrt(squares);
  EXPECT_LE(std::sqrt(residual), bound * norm) << "n = " << n;
  EXPECT_LE(orthogonality, bound) << "n = " << n;
  EXPECT_LE(std::abs(trace), bound * norm) << "n = " << n;
  EXPECT_LE(std::abs(square_sum - squares), bound * squares) << "n = " << n;
}

// Σ values[k]·q_k·q_kᵀ, where q is a product of `reflections` random reflections applied to the unit vectors.
Matrix Planted(const std::vector<double>& values, int reflections) {
  const Index n = static_cast<Index>(values.size());
  Matrix a(n * n, 0.0);
  for (Index i = 0; i < n; ++i) a[i * n + i] = values[i];
  for (int count = 0; count < reflections; ++count) {
    const Random random(8, static_cast<uint64_t>(count));
    std::vector<double> v(n);
    double square = 0;
    for (Index i = 0; i < n; ++i) v[i] = random.Normal(static_cast<uint64_t>(i));
    for (const double x : v) square += x * x;
    const auto reflect = [&](double* x, Index stride) {
      double dot = 0;
      for (Index i = 0; i < n; ++i) dot += v[i] * x[i * stride];
      for (Index i = 0; i < n; ++i) x[i * stride] -= 2 * dot / square * v[i];
    };
    for (Index i = 0; i < n; ++i) reflect(&a[i * n], 1);
    for (Index j = 0; j < n; ++j) reflect(&a[j], n);
  }
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < i; ++j) a[i * n + j] = a[j * n + i];
  }
  return a;
}

// Sizes just below and above one, two and three tiles of 32.
TEST(Eigen, DecomposesRandomMatrices) {
  for (const Index n : {1, 2, 3, 5, 17, 31, 32, 33, 34, 63, 64, 65, 66, 67, 96, 97, 130}) {
    ExpectDecomposes(RandomSymmetric(n, n), n, n);
  }
}

TEST(Eigen, DecomposesOnEveryInstructionSet) {
  const std::string before = SimdTarget();
  for (const std::string& target : SimdTargets()) {
    UseSimdTarget(target);
    for (const Index n : {7, 100, 201}) ExpectDecomposes(RandomSymmetric(n, n), n, n);
  }
  UseSimdTarget(before);
}

TEST(Eigen, DecomposesMatricesWithRepeatedAndZeroEigenvalues) {
  for (const Index n : {20, 75}) {
    ExpectDecomposes(Matrix(n * n, 0.0), n, n);
    ExpectDecomposes(Matrix(n * n, 1.0), n, n);  // one eigenvalue n, the others 0
    Matrix identity(n * n, 0.0);
    for (Index i = 0; i < n; ++i) identity[i * n + i] = 1;
    ExpectDecomposes(identity, n, n);
  }
}

TEST(Eigen, FindsPlantedSpectra) {
  const Index n = 110;
  std::vector<double> rank_five(n, 0.0), clusters(n), near(n), decaying(n);
  for (Index i = 0; i < n; ++i) {
    if (i < 5) rank_five[i] = static_cast<double>(5 - i);
    clusters[i] = static_cast<double>(4 - i / 30);
    near[i] = 1 - 1e-13 * static_cast<double>(i);
    decaying[i] = std::pow(0.7, i);
  }
  for (const std::vector<double>& values : {rank_five, clusters, near, decaying}) {
    const Matrix a = Planted(values, 3);
    const SymmetricEigen eigen = DecomposeSymmetric(a, n, 0);
    for (Index i = 0; i < n; ++i) EXPECT_LE(std::abs(eigen.values[i] - values[i]), 1e-13 * values[0]) << i;
    ExpectDecomposes(a, n, n);
    ExpectDecomposes(a, n, 40);
  }
}

// A change of weights by two scores a row: two eigenvalues, and beside them what rounding left, near one eps of the
// largest. Each sweep of the iteration adds as much again.
TEST(Eigen, EndsWhereRoundingIsAllThatIsLeft) {
  constexpr Index n = 256, draws = 40;
  int decomposed = 0;
  for (Index draw = 0; draw < draws; ++draw) {
    const Random random(9, static_cast<uint64_t>(draw));
    Matrix a(n * n, 0.0), x(n * n);
    for (Index i = 0; i < n * n; ++i) x[i] = random.Normal(static_cast<uint64_t>(i));
    for (Index i = 0; i < n; ++i) {
      for (Index j = i; j < n; ++j) {
        double sum = 0;
        for (Index c = 2; c < 34; ++c) sum += x[i * n + c] * x[j * n + c];
        a[i * n + j] = 4 * (x[i * n] * x[j * n] + 0.6 * x[i * n + 1] * x[j * n + 1]) / n + 1e-15 * sum / 32;
      }
    }
    const SymmetricEigen eigen = DecomposeSymmetric(a, n, 0);
    EXPECT_LE(std::abs(eigen.values[2]), 1e-13);
    ++decomposed;
  }
  EXPECT_EQ(decomposed, draws);
}

TEST(Eigen, GivesTheTopVectorsThatAreWanted) {
  const Index n = 90;
  const Matrix a = RandomSymmetric(n, 5);
  const SymmetricEigen all = DecomposeSymmetric(a, n, n);
  for (const Index wanted : {0, 1, 8, 33}) {
    const SymmetricEigen some = DecomposeSymmetric(a, n, wanted);
    EXPECT_EQ(some.values, all.values);
    EXPECT_EQ(some.vectors, std::vector<double>(all.vectors.begin(), all.vectors.begin() + wanted * n));
  }
}

TEST(Eigen, ReadsTheUpperTriangleOnly) {
  const Index n = 70;
  const Matrix a = RandomSymmetric(n, 6);
  Matrix upper = a;
  for (Index i = 0; i < n; ++i) std::fill_n(&upper[i * n], i, 3.0);
  EXPECT_EQ(DecomposeSymmetric(upper, n, 4).vectors, DecomposeSymmetric(a, n, 4).vectors);
}

TEST(Eigen, DecomposesBadlyScaledMatrices) {
  const Index n = 12;
  Matrix a = RandomSymmetric(n, 1);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) a[i * n + j] *= std::pow(10.0, -static_cast<double>(i + j));
  }
  ExpectDecomposes(a, n, n);
  const SymmetricEigen eigen = DecomposeSymmetric(a, n, n);
  for (const double factor : {1e200, 1e-250}) {  // their squares leave the range of double
    Matrix scaled = a;
    for (double& x : scaled) x *= factor;
    const SymmetricEigen other = DecomposeSymmetric(scaled, n, n);
    for (Index i = 0; i < n; ++i) {
      EXPECT_LE(std::abs(other.values[i] / factor - eigen.values[i]), 1e-14 * eigen.values[0]) << i;
    }
  }
}

TEST(Eigen, KnowsTheSecondDifference) {
  // tridiag(−1, 2, −1) has the eigenvalues 2 − 2cos(kπ/(n + 1)).
  const Index n = 31;
  Matrix a(n * n, 0.0);
  for (Index i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  const SymmetricEigen eigen = DecomposeSymmetric(a, n, 0);
  for (Index i = 0; i < n; ++i) {
    EXPECT_NEAR(eigen.values[i], 2 - 2 * std::cos(static_cast<double>(n - i) * M_PI / (n + 1)), 1e-13);
  }
}

TEST(Eigen, FixesTheSign) {
  const Index n = 9;
  const SymmetricEigen eigen = DecomposeSymmetric(RandomSymmetric(n, 3), n, n);
  for (Index i = 0; i < n; ++i) {
    Index largest = 0;
    for (Index j = 1; j < n; ++j) {
      if (std::abs(eigen.vectors[i * n + j]) > std::abs(eigen.vectors[i * n + largest])) largest = j;
    }
    EXPECT_GT(eigen.vectors[i * n + largest], 0);
  }
}

TEST(Eigen, GivesTheSameBitsForAnyThreadCount) {
  const Matrix a = RandomSymmetric(150, 4);
  SetNumThreads(1);
  const SymmetricEigen one = DecomposeSymmetric(a, 150, 100);
  SetNumThreads(3);
  const SymmetricEigen three = DecomposeSymmetric(a, 150, 100);
  SetNumThreads(0);
  EXPECT_EQ(one.values, three.values);
  EXPECT_EQ(one.vectors, three.vectors);
}

TEST(Eigen, RefusesWhatIsNoMatrix) {
  ExpectMessage<std::invalid_argument>(
      [] {
        DecomposeSymmetric({1, 2, 3}, 2, 1);
      },
      "[eigen] expected a matrix of 2 x 2 numbers, found 3");
  ExpectMessage<std::invalid_argument>([] { DecomposeSymmetric({std::nan("")}, 1, 1); },
                                       "[eigen] expected finite numbers, found NaN or infinity");
  ExpectMessage<std::invalid_argument>([] { DecomposeSymmetric({1}, 1, 2); },
                                       "[eigen] expected 0 to 1 vectors, found 2");
}

}  // namespace
}  // namespace ampgrad
