#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/eigen.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/expect_message.h"

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

// LAPACK's two test ratios, residual and orthogonality in units of n·‖A‖·ε and n·ε; LAPACK itself passes below 35.
void ExpectDecomposes(const Matrix& a, Index n) {
  constexpr double kRatio = 35, kEps = std::numeric_limits<double>::epsilon();
  const SymmetricEigen eigen = DecomposeSymmetric(a, n);
  double norm = 0, residual = 0, orthogonality = 0;
  for (const double x : a) norm += x * x;
  for (Index i = 0; i < n; ++i) {
    const double* v = &eigen.vectors[i * n];
    for (Index r = 0; r < n; ++r) {
      double av = 0;
      for (Index c = 0; c < n; ++c) av += a[r * n + c] * v[c];
      residual += std::pow(av - eigen.values[i] * v[r], 2);
    }
    for (Index j = 0; j <= i; ++j) {
      double dot = i == j ? -1 : 0;
      for (Index c = 0; c < n; ++c) dot += v[c] * eigen.vectors[j * n + c];
      orthogonality = std::max(orthogonality, std::abs(dot));
    }
    EXPECT_LE(eigen.values[i], eigen.values[std::max<Index>(i - 1, 0)]);
  }
  const double size = static_cast<double>(n);
  EXPECT_LE(std::sqrt(residual), kRatio * size * kEps * std::sqrt(norm)) << "n = " << n;
  EXPECT_LE(orthogonality, kRatio * size * kEps) << "n = " << n;
}

TEST(Eigen, DecomposesRandomMatrices) {
  for (const Index n : {1, 2, 3, 5, 17, 64, 130}) ExpectDecomposes(RandomSymmetric(n, n), n);
}

TEST(Eigen, DecomposesMatricesWithRepeatedAndZeroEigenvalues) {
  const Index n = 20;
  ExpectDecomposes(Matrix(n * n, 0.0), n);
  ExpectDecomposes(Matrix(n * n, 1.0), n);  // one eigenvalue n, the others 0
  Matrix identity(n * n, 0.0);
  for (Index i = 0; i < n; ++i) identity[i * n + i] = 1;
  ExpectDecomposes(identity, n);
}

TEST(Eigen, DecomposesBadlyScaledMatrices) {
  const Index n = 12;
  Matrix a = RandomSymmetric(n, 1);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) a[i * n + j] *= std::pow(10.0, -static_cast<double>(i + j));
  }
  ExpectDecomposes(a, n);
  for (double& x : a) x *= 1e150;  // squares of these are no doubles
  const SymmetricEigen eigen = DecomposeSymmetric(a, n);
  EXPECT_TRUE(std::isfinite(eigen.values[0]));
}

TEST(Eigen, KnowsTheSecondDifference) {
  // tridiag(−1, 2, −1) has the eigenvalues 2 − 2cos(kπ/(n + 1)).
  const Index n = 31;
  Matrix a(n * n, 0.0);
  for (Index i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  const SymmetricEigen eigen = DecomposeSymmetric(a, n);
  for (Index i = 0; i < n; ++i) {
    EXPECT_NEAR(eigen.values[i], 2 - 2 * std::cos(static_cast<double>(n - i) * M_PI / (n + 1)), 1e-13);
  }
}

TEST(Eigen, FixesTheSign) {
  const Index n = 9;
  const SymmetricEigen eigen = DecomposeSymmetric(RandomSymmetric(n, 3), n);
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
  const SymmetricEigen one = DecomposeSymmetric(a, 150);
  SetNumThreads(3);
  const SymmetricEigen three = DecomposeSymmetric(a, 150);
  SetNumThreads(0);
  EXPECT_EQ(one.values, three.values);
  EXPECT_EQ(one.vectors, three.vectors);
}

TEST(Eigen, RefusesWhatIsNoMatrix) {
  ExpectMessage<std::invalid_argument>(
      [] {
        DecomposeSymmetric({1, 2, 3}, 2);
      },
      "[eigen] expected a matrix of 2 x 2 numbers, found 3");
  ExpectMessage<std::invalid_argument>([] { DecomposeSymmetric({std::nan("")}, 1); },
                                       "[eigen] expected finite numbers, found NaN or infinity");
}

}  // namespace
}  // namespace ampgrad
