#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/train/corpus/corpus_testing.h"
#include "train/corpus/shuffle_test.h"

namespace ampgrad::corpus {
namespace {

using RowNumbers = std::vector<Index>;

// Solves a·x = b by elimination with pivots, for b [n, q].
Doubles Solve(Doubles a, Doubles b) {
  for (Index i = 0; i < a.rows; ++i) {
    Index pivot = i;
    for (Index r = i; r < a.rows; ++r) pivot = std::abs(a.row(r)[i]) > std::abs(a.row(pivot)[i]) ? r : pivot;
    std::swap_ranges(a.row(i), a.row(i) + a.cols, a.row(pivot));
    std::swap_ranges(b.row(i), b.row(i) + b.cols, b.row(pivot));
    for (Index r = 0; r < a.rows; ++r) {
      if (r == i) continue;
      const double factor = a.row(r)[i] / a.row(i)[i];
      for (Index j = 0; j < a.cols; ++j) a.row(r)[j] -= factor * a.row(i)[j];
      for (Index j = 0; j < b.cols; ++j) b.row(r)[j] -= factor * b.row(i)[j];
    }
  }
  for (Index i = 0; i < a.rows; ++i) {
    for (Index j = 0; j < b.cols; ++j) b.row(i)[j] /= a.row(i)[i];
  }
  return b;
}

Doubles Taken(const Doubles& x, const RowNumbers& rows) {
  Doubles taken(static_cast<Index>(rows.size()), x.cols);
  for (Index i = 0; i < taken.rows; ++i) std::copy_n(x.row(rows[i]), x.cols, taken.row(i));
  return taken;
}

std::vector<double> Mean(const Doubles& x) {
  std::vector<double> mean(static_cast<size_t>(x.cols), 0.0);
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) mean[j] += x.row(i)[j] / static_cast<double>(x.rows);
  }
  return mean;
}

// x less `mean`, over `deviation`.
Doubles Standardised(Doubles x, const std::vector<double>& mean, const std::vector<double>& deviation) {
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) x.row(i)[j] = (x.row(i)[j] - mean[j]) / deviation[j];
  }
  return x;
}

// Trains on some rows and predicts others, step by step from the normal equations.
Explained Predicted(const Doubles& x, const Doubles& y, const RowNumbers& train, const RowNumbers& test,
                    double penalty) {
  const double n = static_cast<double>(train.size());
  const Doubles x_train = Taken(x, train);
  const std::vector<double> mean = Mean(x_train), y_mean = Mean(Taken(y, train)), ones(y_mean.size(), 1.0);
  std::vector<double> deviation(mean.size(), 0.0);
  for (Index i = 0; i < x_train.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) deviation[j] += std::pow(x_train.row(i)[j] - mean[j], 2) / n;
  }
  for (double& s : deviation) s = std::sqrt(s);
  const Doubles z = Standardised(x_train, mean, deviation), centred = Standardised(Taken(y, train), y_mean, ones);
  Doubles normal = Product(Transposed(z), z);
  for (Index i = 0; i < normal.rows; ++i) normal.row(i)[i] += n * penalty;
  const Doubles w = Solve(normal, Product(Transposed(z), centred));
  const Doubles predicted = Product(Standardised(Taken(x, test), mean, deviation), w);
  Explained explained;
  for (Index i = 0; i < predicted.rows; ++i) {
    for (Index j = 0; j < y.cols; ++j) {
      const double target = y.row(test[i])[j] - y_mean[j];
      explained.error += std::pow(target - predicted.row(i)[j], 2);
      explained.total += target * target;
    }
  }
  return explained;
}

// The rows whose fold is none of two, or, with `own`, is the first.
RowNumbers RowsOf(const std::vector<Index>& folds, Index first, Index second, bool own) {
  RowNumbers rows;
  for (size_t i = 0; i < folds.size(); ++i) {
    const bool kept = own ? folds[i] == first : folds[i] != first && folds[i] != second;
    if (kept) rows.push_back(static_cast<Index>(i));
  }
  return rows;
}

// The whole cross-validation by its definition. `used` receives the penalties.
Explained Defined(const Doubles& x, const Doubles& y, const std::vector<Index>& folds, std::vector<int>* used) {
  Explained all;
  for (Index out = 0; out < kFolds; ++out) {
    double least = std::numeric_limits<double>::infinity();
    int best = 0;
    for (int penalty = kPenalties - 1; penalty >= 0; --penalty) {
      double error = 0;
      for (Index in = 0; in < kFolds; ++in) {
        if (in == out) continue;
        error += Predicted(x, y, RowsOf(folds, out, in, false), RowsOf(folds, in, in, true), Penalty(penalty)).error;
      }
      if (error < least) best = penalty;
      least = std::min(least, error);
    }
    used->push_back(best);
    all.Add(Predicted(x, y, RowsOf(folds, out, out, false), RowsOf(folds, out, out, true), Penalty(best)));
  }
  return all;
}

// Targets of `signal`·(a linear map of the features) + noise of variance 1.
Doubles Planted(const Doubles& x, Index q, double signal, uint64_t seed) {
  Doubles map = RandomDoubles(x.cols, q, seed), y = RandomDoubles(x.rows, q, seed + 1);
  for (double& m : map.values) m *= signal;
  AddProduct(x.values.data(), map.values.data(), x.rows, x.cols, q, y.values.data());
  return y;
}

RowNumbers InOrder(Index n) {
  RowNumbers rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), Index{0});
  return rows;
}

TEST(Folds, AreAPermutationInFiveEqualParts) {
  const CrossValidation regression(RandomDoubles(53, 2, 1), 7), other(RandomDoubles(53, 2, 1), 8);
  std::vector<Index> sizes(kFolds, 0);
  const std::vector<Index> folds = regression.FoldOfEachRow();
  for (const Index fold : folds) ++sizes[fold];
  EXPECT_EQ(sizes, (std::vector<Index>{11, 11, 11, 10, 10}));
  EXPECT_NE(regression.FoldOfEachRow(), other.FoldOfEachRow());
}

// Strong, weak and no signal choose penalties all over the grid, of features with far means and unlike deviations.
TEST(Ridge, IsThatOfTheNormalEquations) {
  Doubles x = RandomDoubles(61, 7, 1);
  for (Index i = 0; i < x.rows; ++i) {
    x.row(i)[3] = 50 + 0.1 * x.row(i)[3];
    x.row(i)[4] = 30 * x.row(i)[4] + x.row(i)[5];
    x.row(i)[6] = x.row(i)[5] + 0.01 * x.row(i)[6];
  }
  const CrossValidation regression(x, 3);
  std::vector<int> used;
  for (const double signal : {0.0, 0.03, 0.1, 1.0, 100.0}) {
    Doubles y = Planted(x, 4, signal, 5);
    for (double& value : y.values) value += 20;
    const Explained expected = Defined(x, y, regression.FoldOfEachRow(), &used);
    const Explained found = PredictInOrder(regression, y);
    EXPECT_FALSE(!(std::abs(found.error - expected.error) <= 1e-9 * expected.error)) << signal;
    EXPECT_FALSE(!(std::abs(found.total - expected.total) <= 1e-12 * expected.total)) << signal;
  }
  EXPECT_EQ(*std::max_element(used.begin(), used.end()), kPenalties - 1);
  EXPECT_LE(*std::min_element(used.begin(), used.end()), 2);
}

TEST(Ridge, TakesTheRowsOfTheTargetsInAGivenOrder) {
  const Doubles x = RandomDoubles(40, 3, 1), y = Planted(x, 2, 1, 2);
  const CrossValidation regression(x, 3);
  const RowNumbers order = Random(4, 0).Permutation(40);
  const Explained found = regression.Predict(y, order);
  EXPECT_EQ(found.error, regression.Predict(Taken(y, order), InOrder(40)).error);
  EXPECT_NE(found.error, PredictInOrder(regression, y).error);
}

TEST(Ridge, KnowsNoUnitsAndNoConstants) {
  const Doubles x = RandomDoubles(50, 4, 1), y = Planted(x, 3, 0.5, 2);
  Doubles other(50, 6);
  for (Index i = 0; i < 50; ++i) {
    for (Index j = 0; j < 4; ++j) other.row(i)[j] = 1e-5 * x.row(i)[j] + 0.001;
    other.row(i)[4] = 1.0 / 3;  // constant but for rounding
  }
  const double expected = PredictInOrder(CrossValidation(x, 3), y).r2();
  EXPECT_NEAR(PredictInOrder(CrossValidation(other, 3), y).r2(), expected, 1e-9);
  // Not constant, but on the training folds of the fold that holds row 0.
  other.row(0)[5] = 1;
  EXPECT_TRUE(std::isfinite(PredictInOrder(CrossValidation(other, 3), y).r2()));
  EXPECT_EQ(PredictInOrder(CrossValidation(x, 3), Doubles(50, 2)).r2(), 0);
}

TEST(Ridge, TakesMoreFeaturesThanRows) {
  const Doubles x = RandomDoubles(30, 45, 1), y = Planted(x, 2, 0.3, 2);
  std::vector<int> used;
  const CrossValidation regression(x, 3);
  const Explained expected = Defined(x, y, regression.FoldOfEachRow(), &used);
  EXPECT_NEAR(PredictInOrder(regression, y).error, expected.error, 1e-9 * expected.error);
}

TEST(Ridge, RefusesFewRowsAndInfinity) {
  ExpectMessage<std::invalid_argument>([] { CrossValidation(RandomDoubles(9, 2, 1), 1); },
                                       "[ridge] expected at least 10 rows, found 9");
  ExpectMessage<std::invalid_argument>(
      [] { PredictInOrder(CrossValidation(RandomDoubles(12, 2, 1), 1), Doubles(11, 1)); },
      "[ridge] expected targets of 12 rows, those of the features, found 11");
  Doubles x = RandomDoubles(12, 2, 1);
  x.row(3)[1] = std::numeric_limits<double>::infinity();
  ExpectMessage<std::invalid_argument>([&] { CrossValidation(x, 1); },
                                       "[ridge] expected finite features, found NaN or infinity");
}

// Six features of variance 1 with weights of variance 0.25 beside noise of variance 1: the ceiling is the share of the
// signal, which estimation falls short of by about p/n = 1.5 % of the noise.
TEST(Shuffles, LieBelowAPlantedRelation) {
  const Doubles x = RandomDoubles(400, 6, 1), y = Planted(x, 8, 0.5, 2), noise = RandomDoubles(400, 8, 3);
  double variance = 0;
  const std::vector<double> mean = Mean(y);
  for (Index i = 0; i < y.rows; ++i) {
    for (Index j = 0; j < y.cols; ++j) variance += std::pow(y.row(i)[j] - mean[j], 2) / (400 * 8);
  }
  const double ceiling = 1 - 1 / variance;
  const Prediction prediction = PredictWithShuffles(CrossValidation(x, 4), y, 4);
  EXPECT_NEAR(prediction.r2(), ceiling, 0.03);
  EXPECT_GT(ceiling, 0.4);
  EXPECT_EQ(prediction.Rank(), 1);
  EXPECT_EQ(prediction.PValue(), 1.0 / 200);
  EXPECT_LT(prediction.ShuffledTop(), 0.01);
}

TEST(Shuffles, HoldPureNoiseAmongThem) {
  const CrossValidation regression(RandomDoubles(200, 12, 1), 4);
  double p = 0;
  for (uint64_t seed = 10; seed < 18; ++seed) {
    const Prediction prediction = PredictWithShuffles(regression, RandomDoubles(200, 3, seed), seed);
    ASSERT_EQ(prediction.shuffled.size(), 199u);
    EXPECT_LT(prediction.r2(), 0.03);
    EXPECT_LT(prediction.ShuffledMean(), 0);
    EXPECT_GT(prediction.ShuffledTop(), prediction.ShuffledMean());
    p += prediction.PValue() / 8;
  }
  EXPECT_NEAR(p, 0.5, 0.3);  // the mean of eight uniform numbers has a deviation of 0.1
}

TEST(Shuffles, AreSummedUpByHand) {
  Prediction prediction{{1, 2}, {}};                                               // R² = 0.5
  for (int i = 0; i < 199; ++i) prediction.shuffled.push_back({2 - 0.01 * i, 2});  // R² = 0, 0.005, …, 0.99
  EXPECT_NEAR(prediction.ShuffledMean(), 0.495, 1e-12);
  EXPECT_NEAR(prediction.ShuffledTop(), 0.005 * 189, 1e-12);  // 190 of 199 are no larger, 189 were 94.97 %
  EXPECT_EQ(prediction.Rank(), 1 + 99);                       // 0.5 itself and those above
  EXPECT_EQ(prediction.PValue(), 0.5);
  Prediction sum;
  sum.Add(prediction);
  sum.Add({{3, 4}, std::vector<Explained>(199, Explained{0, 1})});
  EXPECT_NEAR(sum.r2(), 1 - 4.0 / 6, 1e-15);
  EXPECT_NEAR(sum.shuffled[0].r2(), 1 - 2.0 / 3, 1e-15);
}

}  // namespace
}  // namespace ampgrad::corpus
