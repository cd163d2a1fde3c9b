#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "ct/singular.h"
#include "tests/support/expect_message.h"
#include "tests/train/corpus/corpus_testing.h"
#include "train/corpus/channel_features.h"

namespace ampgrad::corpus {
namespace {

// Products of thousands of terms are rounded in Real.
constexpr double kFeaturesApart = sizeof(Real) == 8 ? 1e-13 : 2e-6;

Doubles Widened(const Tensor& x) {
  Doubles wide(x.rows(), x.cols());
  for (Index i = 0; i < x.size(); ++i) wide.values[i] = x[i];
  return wide;
}

// Eᵀ·middle·E, with a V x V matrix.
Doubles DenseMoment(const Tensor& embedding, const Doubles& middle) {
  const Doubles e = Widened(embedding);
  return Product(Transposed(e), Product(middle, e));
}

// Both have the size of `expected`.
void ExpectNear(const Doubles& found, const Doubles& expected) {
  ASSERT_EQ(found.values.size(), expected.values.size());
  double scale = 0;
  for (const double x : expected.values) scale = std::max(scale, std::abs(x));
  for (size_t i = 0; i < found.values.size(); ++i) {
    const double error = std::abs(found.values[i] - expected.values[i]);
    ASSERT_FALSE(!(error <= kFeaturesApart * scale))
        << "entry " << i << ": " << found.values[i] << ", not " << expected.values[i];
  }
}

// More tokens than one block of rows has.
constexpr Index kTableVocabulary = 2500, kTableWidth = 12, kTokens = 20000;

TEST(ComputeMoments, AreTheDenseProducts) {
  const Tensor embedding = Random(1, 2).NormalTensor({kTableVocabulary, kTableWidth}, 1);
  const std::vector<int> ids = SkewedIds(kTokens, kTableVocabulary, 3);
  const ChannelMoments moments = ComputeMoments(embedding, CountBigrams(ids, kTableVocabulary));
  Doubles frequencies(kTableVocabulary, kTableVocabulary);
  for (const int id : ids) frequencies.row(id)[id] += 1.0 / kTokens;
  ExpectNear(moments.unigram, DenseMoment(embedding, frequencies));
  Doubles shares = DensePairs(ids, kTableVocabulary);
  for (double& share : shares.values) share /= kTokens - 1;
  ExpectNear(moments.bigram, DenseMoment(embedding, shares));
}

TEST(UniformMoments, AreThoseOfEveryTokenAndPairOnce) {
  const Index v = 40;
  const Tensor embedding = Random(1, 2).NormalTensor({v, kTableWidth}, 1);
  const ChannelMoments moments = UniformMoments(embedding);
  Doubles frequencies(v, v), shares(v, v);
  for (Index i = 0; i < v; ++i) {
    frequencies.row(i)[i] = 1.0 / v;
    for (Index j = 0; j < v; ++j) shares.row(i)[j] = 1.0 / (v * v);
  }
  ExpectNear(moments.unigram, DenseMoment(embedding, frequencies));
  ExpectNear(moments.bigram, DenseMoment(embedding, shares));
}

TEST(ChannelFeatures, AreProjectedRowsAndTheirNorms) {
  const Index k = 3;
  const ChannelMoments moments{RandomDoubles(kTableWidth, kTableWidth, 1), RandomDoubles(kTableWidth, kTableWidth, 2)};
  const ct::Basis basis{ct::RandomOrthonormal(k, kTableWidth, 3, 0), Tensor({kTableWidth}), {}, 0};
  const Doubles features = ChannelFeatures(moments, basis);
  ASSERT_EQ(features.rows, kTableWidth);
  ASSERT_EQ(features.cols, 3 * k + 3);
  for (Index r = 0; r < kTableWidth; ++r) {
    for (Index side = 0; side < 3; ++side) {
      std::vector<double> row;
      for (Index j = 0; j < kTableWidth; ++j) {
        row.push_back(side == 0   ? moments.unigram.row(r)[j]
                      : side == 1 ? moments.bigram.row(r)[j]
                                  : moments.bigram.row(j)[r]);
      }
      double square = 0;
      for (const double x : row) square += x * x;
      EXPECT_NEAR(features.row(r)[3 * k + side], std::sqrt(square), 1e-12);
      for (Index i = 0; i < k; ++i) {
        double dot = 0;
        for (Index j = 0; j < kTableWidth; ++j) dot += row[j] * basis.vectors.row(i)[j];
        EXPECT_NEAR(features.row(r)[side * k + i], dot, 1e-12);
      }
    }
  }
}

TEST(ChannelFeatures, RefuseOtherSizes) {
  const Tensor embedding = Random(1, 2).NormalTensor({9, kTableWidth}, 1);
  ExpectMessage<std::invalid_argument>(
      [&] {
        ComputeMoments(embedding, CountBigrams({1, 2}, 8));
      },
      "[corpus] expected counts of 9 tokens, the rows of the embedding, found 8");
  const ct::Basis basis{ct::RandomOrthonormal(2, 6, 3, 0), Tensor({6}), {}, 0};
  ExpectMessage<std::invalid_argument>([&] { ChannelFeatures(UniformMoments(embedding), basis); },
                                       "[corpus] expected a basis of width 12, that of the embedding, found 6");
}

}  // namespace
}  // namespace ampgrad::corpus
