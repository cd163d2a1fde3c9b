#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ct/spectra/figure.h"
#include "ct/spectra/strength.h"
#include "tensor/random.h"

namespace ampgrad::ct {
namespace {

std::vector<double> OneToHundred() {
  std::vector<double> draws(100);
  std::iota(draws.begin(), draws.end(), 1.0);
  return draws;
}

TEST(Figure, CountsWhatLiesAsFar) {
  const Figure high = AgainstDraws(70.5, OneToHundred(), Structure::kHigh);
  EXPECT_DOUBLE_EQ(high.null, 50.5);
  EXPECT_DOUBLE_EQ(high.level, 95);
  EXPECT_DOUBLE_EQ(high.p, 31.0 / 101);  // 30 draws are as large
  EXPECT_FALSE(high.Exceeds());
  EXPECT_TRUE(AgainstDraws(95.5, OneToHundred(), Structure::kHigh).Exceeds());
  const Figure low = AgainstDraws(30.5, OneToHundred(), Structure::kLow);
  EXPECT_DOUBLE_EQ(low.level, 6);
  EXPECT_DOUBLE_EQ(low.p, 31.0 / 101);
  EXPECT_TRUE(AgainstDraws(5, OneToHundred(), Structure::kLow).Exceeds());
}

// The farthest fifth of 1…100 lies 10.5 beyond 80 on average.
TEST(Figure, TheTailBeyondTheDrawsIsExponential) {
  EXPECT_NEAR(AgainstDraws(101.5, OneToHundred(), Structure::kHigh).p, 0.2 * std::exp(-21.5 / 10.5), 1e-12);
  EXPECT_NEAR(AgainstDraws(1000, OneToHundred(), Structure::kHigh).p, 0.2 * std::exp(-920 / 10.5), 1e-40);
}

// p of chance itself is uniform, or larger: never too small.
TEST(Figure, ChanceIsNotCalledStructure) {
  const Random random(3, 0);
  uint64_t n = 0;
  int five = 0, thousandth = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> draws(200);
    for (double& draw : draws) draw = random.Normal(n++);
    const Figure figure = AgainstDraws(random.Normal(n++), draws, Structure::kHigh);
    five += figure.Exceeds();
    thousandth += figure.p <= 1e-3;
  }
  EXPECT_NEAR(five, 100, 30);
  EXPECT_LE(thousandth, 6);
}

TEST(Figure, NormalFiguresUseStudentsT) {
  const Figure figure = AgainstNormal(1 + 2.228138852, 1, 1 / std::sqrt(1 + 1.0 / 11), 11, Structure::kBoth);
  EXPECT_NEAR(figure.p, 0.05, 1e-8);
  EXPECT_NEAR(figure.level, 1 + 2.228138852, 1e-6);
  EXPECT_TRUE(AgainstNormal(-2, 1, 0.5, 1e9, Structure::kBoth).Exceeds());
  EXPECT_FALSE(AgainstNormal(1.5, 1, 0.5, 1e9, Structure::kBoth).Exceeds());
  EXPECT_FALSE(AgainstMoments(3, {1, 2, 3}, Structure::kHigh).tested());  // too few draws
}

// 0.005 ≤ 0.05/4 and 0.01 ≤ 0.05/3, but 0.03 > 0.05/2.
TEST(Holm, StopsAtTheFirstThatFails) {
  Figure figures[] = {{.p = 0.01}, {.p = 0.04}, {.p = 0.03}, {.p = 0.005}, {}};
  MarkByHolm({&figures[0], &figures[1], &figures[2], &figures[3], &figures[4]});
  EXPECT_TRUE(figures[0].marked);
  EXPECT_FALSE(figures[1].marked);
  EXPECT_FALSE(figures[2].marked);
  EXPECT_TRUE(figures[3].marked);
  EXPECT_FALSE(figures[4].marked);
}

// Of 1, 2, 3, 4 two are drawn: the mean is 2.5, its variance (5/4)/2·(2/3) = 5/12.
TEST(Strength, IsThatOfASampleWithoutReplacement) {
  NormPool pool;
  pool.Add({1, 2, 3, 4});
  const Figure strength = StrengthInPool({3, 4}, pool);
  EXPECT_DOUBLE_EQ(strength.value, 3.5 / 2.5);
  EXPECT_NEAR(strength.level, 1 + kTwoSidedPoint * std::sqrt(5.0 / 12) / 2.5, 1e-9);
  EXPECT_FALSE(StrengthInPool({1, 2, 3, 4}, pool).tested());
  const Figure mean = MeanStrength({strength, strength});
  EXPECT_DOUBLE_EQ(mean.value, strength.value);
  EXPECT_NEAR(mean.level - 1, (strength.level - 1) / std::sqrt(2.0), 1e-9);
}

}  // namespace
}  // namespace ampgrad::ct
