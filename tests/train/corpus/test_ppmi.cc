#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels/eigen/eigen.h"
#include "tests/train/corpus/corpus_testing.h"
#include "train/corpus/ppmi.h"

namespace ampgrad::corpus {
namespace {

Doubles Dense(const SparseMatrix& m) {
  Doubles dense(m.rows(), m.cols);
  for (Index i = 0; i < m.rows(); ++i) {
    for (Index e = m.starts[i]; e < m.starts[i + 1]; ++e) dense.row(i)[m.columns[e]] = m.values[e];
  }
  return dense;
}

double Dot(const double* x, const double* y, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

// max |U·Uᵀ − I|
double OrthonormalError(const Doubles& u) {
  double largest = 0;
  for (Index i = 0; i < u.rows; ++i) {
    for (Index j = 0; j < u.rows; ++j) {
      largest = std::max(largest, std::abs(Dot(u.row(i), u.row(j), u.cols) - (i == j ? 1 : 0)));
    }
  }
  return largest;
}

TEST(Ppmi, IsThatComputedByHand) {
  // Ids 1, 3 and 7 as rows 0, 1 and 2. Pairs 13 31 13 31 17: first 1 three times, second 3 twice.
  const Doubles ppmi = Dense(Ppmi(CountBigrams({1, 3, 1, 3, 1, 7}, 8)));
  ASSERT_EQ(ppmi.rows, 3);
  const std::vector<double> expected = {
      0, std::log(2 * 5 / (3.0 * 2)), std::log(1 * 5 / (3.0 * 1)), std::log(2 * 5 / (2.0 * 2)), 0, 0, 0, 0, 0};
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(ppmi.values[i], expected[i], 1e-15) << i;
}

TEST(Ppmi, LeavesOutWhatIsRarerThanChance) {
  const Index v = 30;
  const std::vector<int> ids = SkewedIds(3000, v, 2);
  const Doubles ppmi = Dense(Ppmi(CountBigrams(ids, v))), pairs = DensePairs(ids, v);
  ASSERT_EQ(ppmi.rows, v);
  Index left_out = 0;
  for (Index i = 0; i < v; ++i) {
    for (Index j = 0; j < v; ++j) {
      double row = 0, column = 0;
      for (Index t = 0; t < v; ++t) {
        row += pairs.row(i)[t];
        column += pairs.row(t)[j];
      }
      const double ratio = pairs.row(i)[j] * 2999 / (row * column);
      left_out += ratio > 0 && ratio < 1;
      EXPECT_NEAR(ppmi.row(i)[j], ratio > 1 ? std::log(ratio) : 0, 1e-13);
    }
  }
  EXPECT_GT(left_out, 50);
}

// A vocabulary larger than the subspace, so that the filter has to find it.
TEST(TopLeftSingular, AreThoseOfADenseDecomposition) {
  const Index v = 150, k = 6;
  const SparseMatrix ppmi = Ppmi(CountBigrams(SkewedIds(4000, v, 3), v));
  const Index n = ppmi.rows();
  const LeftSingular found = TopLeftSingular(ppmi, k, 1);
  EXPECT_TRUE(found.converged);
  EXPECT_LE(found.residual, kSingularResidual);
  EXPECT_GE(found.rounds, 1);
  EXPECT_LE(found.rounds, 5);  // powers of the same degree take 7
  ASSERT_EQ(found.vectors.rows, k);
  const Doubles dense = Dense(ppmi);
  const SymmetricEigen eigen = DecomposeSymmetric(Product(dense, Transposed(dense)).values, n, k);
  for (Index i = 0; i < k; ++i) {
    EXPECT_NEAR(found.values[i], std::sqrt(eigen.values[i]), 1e-9 * found.values[0]);
    EXPECT_NEAR(Dot(found.vectors.row(i), &eigen.vectors[i * n], n), 1, 1e-9) << i;
  }
  EXPECT_FALSE(!(OrthonormalError(found.vectors) <= 1e-13));
}

// Pairs of two words that occur nowhere else have equal singular values: log N each. Which vectors of their space come
// out is open, but not that they are singular vectors.
TEST(TopLeftSingular, ConvergeWhereValuesAreEqual) {
  SparseMatrix m{120, {0}, {}, {}};
  for (Index i = 0; i < 120; ++i) {
    m.columns.push_back((i * 7) % 120);
    m.values.push_back(i < 40 ? 3 : 1);
    m.starts.push_back(i + 1);
  }
  const LeftSingular found = TopLeftSingular(m, 5, 1);
  EXPECT_TRUE(found.converged);
  for (const double value : found.values) EXPECT_NEAR(value, 3, 1e-7);
  EXPECT_FALSE(!(OrthonormalError(found.vectors) <= 1e-13));
}

TEST(TopLeftSingular, AreZerosWhereTheRankEnds) {
  // Two equal rows and a row of zeros: rank 1.
  const SparseMatrix m{3, {0, 2, 4, 4}, {0, 1, 0, 1}, {1, 2, 1, 2}};
  const LeftSingular found = TopLeftSingular(m, 5, 1);
  EXPECT_TRUE(found.converged);
  ASSERT_EQ(found.vectors.rows, 3);
  EXPECT_NEAR(found.values[0], std::sqrt(10), 1e-14);
  EXPECT_NEAR(found.vectors.row(0)[0], std::sqrt(0.5), 1e-14);
  EXPECT_EQ(found.values[1], 0);
  for (Index i = 3; i < 9; ++i) EXPECT_EQ(found.vectors.values[i], 0);
  const LeftSingular nothing = TopLeftSingular({2, {0, 0, 0}, {}, {}}, 2, 1);
  EXPECT_TRUE(nothing.converged);
  for (const double x : nothing.vectors.values) EXPECT_EQ(x, 0);
}

}  // namespace
}  // namespace ampgrad::corpus
