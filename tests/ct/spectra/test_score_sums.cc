#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ct/spectra/score_nulls.h"
#include "ct/spectra/score_sums.h"
#include "ct/spectra/spectrum.h"
#include "ct/spectra/statistics.h"
#include "tensor/random.h"
#include "tests/reference/numbers.h"

namespace ampgrad::ct {
namespace {

// K columns of n normal numbers, of growing deviation and a mean each.
Columns NormalColumns(Index n, Index k, uint64_t seed) {
  Columns columns(k, std::vector<double>(n));
  for (Index c = 0; c < k; ++c) {
    for (Index r = 0; r < n; ++r) {
      columns[c][r] = 0.3 + (1 + 0.1 * c) * Random(seed, c).Normal(static_cast<uint64_t>(r));
    }
  }
  return columns;
}

double Deviation(const std::vector<double>& x) {
  double squares = 0;
  for (const double value : x) squares += (value - Mean(x)) * (value - Mean(x));
  return std::sqrt(squares / x.size());
}

TEST(Spectrum, SaysWhatAListOfEigenvaluesSays) {
  const std::vector<double> values = {6, 3, 1};
  EXPECT_DOUBLE_EQ(FirstShare(values), 0.6);
  EXPECT_EQ(CountFor95(values), 3);
  EXPECT_EQ(CountFor95({95, 5}), 1);
  EXPECT_DOUBLE_EQ(TopShare(values, 2), 0.9);
  EXPECT_DOUBLE_EQ(ShareAbove(values, 2.5), 0.9);
  EXPECT_DOUBLE_EQ(ParticipationRatio(10, 46), 100.0 / 46);
  EXPECT_DOUBLE_EQ(IidParticipationRatio(8112, 2048), 8111.0 * 2048 / (8111 + 2049));
  EXPECT_DOUBLE_EQ(MarchenkoPasturEdge(400, 100, 2), 2 * 1.5 * 1.5 * 400);
}

// Two columns by hand: 1, 2, 3 and 1, 1, 4.
TEST(ScoreSums, AreThoseOfTheDefinition) {
  const ScoreSums sums = SumScores({{1, 2, 3}, {1, 1, 4}});
  EXPECT_EQ(sums.rows, 3);
  EXPECT_DOUBLE_EQ(sums.covariance[0], 2);
  EXPECT_DOUBLE_EQ(sums.covariance[1], 3);
  EXPECT_DOUBLE_EQ(sums.covariance[3], 6);
  const ScoreFigures figures = FiguresOf(sums, 2);
  EXPECT_NEAR(figures.max_corr, 3 / std::sqrt(12.0), 1e-12);
  // λ of [2 3; 3 6] are 4 ± √13.
  EXPECT_NEAR(figures.pc1, (4 + std::sqrt(13.0)) / 8, 1e-12);
  EXPECT_NEAR(figures.amplitude_pr, 64 / (2 * (16.0 + 13)), 1e-12);
  // All six numbers have mean 2: deviations −1, 0, 1, −1, −1, 2.
  EXPECT_NEAR(figures.kurtosis, (20.0 / 6) / std::pow(8.0 / 6, 2) - 3, 1e-12);
  EXPECT_NEAR(FiguresOf(sums, 1).kurtosis, (2.0 / 3) / std::pow(2.0 / 3, 2) - 3, 1e-12);
}

TEST(ScoreSums, OfTwoPartsAreThoseOfTheStack) {
  Columns whole = NormalColumns(50, 3, 1), first(3), second(3);
  for (int c = 0; c < 3; ++c) {
    first[c].assign(whole[c].begin(), whole[c].begin() + 20);
    second[c].assign(whole[c].begin() + 20, whole[c].end());
  }
  ScoreSums sums = SumScores(first);
  sums.Add(SumScores(second));
  const ScoreSums expected = SumScores(whole);
  EXPECT_EQ(sums.rows, 50);
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(sums.covariance[i], expected.covariance[i], 1e-12);
  for (int p = 0; p < 4; ++p) EXPECT_NEAR(sums.powers[p][2], expected.powers[p][2], 1e-10);
}

// The largest of K(K − 1)/2 correlations of independent columns, however it is drawn.
TEST(ScoreNull, BothWaysOfDrawingAgree) {
  constexpr Index kRows = 1500, kWide = 50;
  const Columns scores = NormalColumns(kRows, kWide, 2);
  const ScoreSums sums = SumScores(scores);
  const ScoreNull permuted = DrawScoreNull(scores, sums, 40, 200, 1, 0);
  const ScoreNull drawn = DrawScoreNull(scores, sums, kWide, 200, 1, 0);
  ASSERT_TRUE(permuted.permuted);
  ASSERT_FALSE(drawn.permuted);
  // Nearly normal numbers of variance 1/(n − 1): half the time, the largest of m of them in size lies beyond the point
  // that one passes with probability ln 2/m.
  for (const auto& [null, k] : {std::pair{permuted, 40}, std::pair{drawn, 50}}) {
    const double pairs = k * (k - 1.0) / 2, normal = std::numeric_limits<double>::infinity();
    const double expected = StudentPoint(std::log(2.0) / pairs / 2, normal) / std::sqrt(kRows - 1.0);
    EXPECT_NEAR(Mean(null.max_corr) / expected, 1, 0.03) << k;
    const ScoreFigures own = FiguresOf(sums, k);
    EXPECT_NEAR(own.amplitude_pr, Mean(null.amplitude_pr), 4 * Deviation(null.amplitude_pr)) << k;
    EXPECT_NEAR(own.pc1, Mean(null.pc1), 4 * Deviation(null.pc1)) << k;
  }
}

TEST(ScoreNull, TiedColumnsLieFarBeyondIt) {
  Columns scores = NormalColumns(200, 4, 3);
  for (size_t r = 0; r < 200; ++r) scores[3][r] = scores[1][r] + 0.5 * scores[3][r];
  const ScoreSums sums = SumScores(scores);
  const ScoreNull null = DrawScoreNull(scores, sums, 4, 200, 1, 0);
  EXPECT_GT(FiguresOf(sums, 4).max_corr, 2 * *std::ranges::max_element(null.max_corr));
  EXPECT_LT(FiguresOf(sums, 4).amplitude_pr, *std::ranges::min_element(null.amplitude_pr));
}

// The excess kurtosis of N Gaussian numbers has mean about 0 and variance about 24/N.
TEST(KurtosisNull, IsThatOfGaussianNumbers) {
  for (const Index n : {Index{800}, Index{20000}}) {  // number by number, and by the limit
    Columns scores(2, std::vector<double>(n));
    for (Index c = 0; c < 2; ++c) {
      for (Index r = 0; r < n; ++r) scores[c][r] = 5 + Random(7, c).Normal(static_cast<uint64_t>(r));
    }
    const std::vector<double> draws = DrawKurtosisNull(SumScores(scores), 2, 400, 1, 0);
    const double deviation = std::sqrt(24.0 / (2.0 * n));
    EXPECT_NEAR(Mean(draws), 0, 4 * deviation / 20) << n;
    EXPECT_NEAR(Deviation(draws) / deviation, 1, 0.15) << n;
  }
}

}  // namespace
}  // namespace ampgrad::ct
