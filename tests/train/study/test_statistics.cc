#include <gtest/gtest.h>

#include <cmath>

#include "tensor/random.h"
#include "train/study/statistics.h"

namespace ampgrad::train {
namespace {

SeedValues SeedsOf(const std::vector<double>& numbers) {
  SeedValues values;
  for (size_t i = 0; i < numbers.size(); ++i) values.values[i + 1] = numbers[i];
  return values;
}

// Printed tables have t(0.975) = 12.706, 4.303, 2.776 and 2.262 for 1, 2, 4 and 9 degrees of freedom.
TEST(Summary, IsStudentsInterval) {
  const Interval two = Summary(SeedsOf({0, 2}));  // s/√n = 1
  EXPECT_DOUBLE_EQ(two.mean, 1);
  EXPECT_NEAR(two.high, 1 + 12.706, 1e-3);
  EXPECT_NEAR(two.low, 1 - 12.706, 1e-3);
  const Interval three = Summary(SeedsOf({1, 2, 3}));  // s = 1
  EXPECT_NEAR(three.HalfWidth(), 4.303 / std::sqrt(3.0), 1e-3);
  const Interval five = Summary(SeedsOf({1, 2, 3, 4, 5}));  // s² = 2.5, s/√n = √0.5
  EXPECT_NEAR(five.low, 3 - 2.776 * std::sqrt(0.5), 1e-3);
  EXPECT_NEAR(five.high, 3 + 2.776 * std::sqrt(0.5), 1e-3);
  const Interval ten = Summary(SeedsOf({4, 6, 4, 6, 4, 6, 4, 6, 4, 6}));  // s² = 10/9, s/√n = 1/3
  EXPECT_NEAR(ten.HalfWidth(), 2.262 / 3, 1e-3);
  EXPECT_EQ(ten.seeds, 10);
}

TEST(Summary, OneSeedHasAMeanAndNoInterval) {
  const Interval one = Summary(SeedsOf({7}));
  EXPECT_EQ(one.mean, 7);
  EXPECT_FALSE(one.HasEnds());
  EXPECT_TRUE(std::isnan(PValue(one, 0)));
  EXPECT_EQ(Summary({}).why, "no runs");
}

TEST(Summary, NamesSeedsWithoutANumber) {
  SeedValues values = SeedsOf({1, 2, 3});
  values.missing = {4};
  values.diverged = {5, 6};
  const Interval interval = Summary(values);
  EXPECT_EQ(DescribeSeeds(interval), "3 seeds, 2 diverged, 1 missing");
  EXPECT_DOUBLE_EQ(interval.mean, 2);
  SeedValues none;
  none.diverged = {1};
  EXPECT_EQ(Summary(none).why, "every run diverged");
  EXPECT_EQ(Summary(SeedsOf({1, INFINITY})).why, "seed 2 has no finite number");
}

// Correlated arms: what they share falls out of the difference. Differences 1, 2, 3: mean 2, s/√n = 1/√3.
TEST(Difference, IsOfEachSeed) {
  const Interval interval = Summary(Difference(SeedsOf({101, 52, 13}), SeedsOf({100, 50, 10})));
  EXPECT_DOUBLE_EQ(interval.mean, 2);
  EXPECT_NEAR(interval.HalfWidth(), 4.303 / std::sqrt(3.0), 1e-3);
}

TEST(Difference, KeepsSeedsThatEitherSideLacks) {
  SeedValues a = SeedsOf({1, 2, 3, 4}), b = SeedsOf({1, 2});
  a.diverged = {5};
  b.diverged = {4};
  b.values[5] = 1;
  b.values[6] = 1;
  const Interval interval = Summary(Difference(a, b));
  EXPECT_EQ(DescribeSeeds(interval), "2 seeds, 2 diverged, 2 missing");  // 4 and 5; 3 and 6
}

TEST(RatioOf, IsOfEachSeed) {
  const Interval interval = Summary(RatioOf(SeedsOf({10, 22, 36}), SeedsOf({10, 11, 12})));  // 1, 2, 3; not 68/33
  EXPECT_DOUBLE_EQ(interval.mean, 2);
}

TEST(RatioOf, IsNotPrintedOverWhatMayBeZero) {
  // 2.01 ± 4.303·√((0.5² + 0.5²)/2)/√3 = 2.01 ± 1.24 excludes zero; with a deviation of 1 it is ± 2.48.
  EXPECT_TRUE(Summary(RatioOf(SeedsOf({1, 1, 1}), SeedsOf({1.51, 2.01, 2.51}))).HasMean());
  const Interval hidden = Summary(RatioOf(SeedsOf({1, 1, 1}), SeedsOf({1.01, 2.01, 3.01})));
  EXPECT_FALSE(hidden.HasMean() || hidden.HasEnds());
  EXPECT_EQ(hidden.seeds, 3);
  EXPECT_EQ(hidden.why, "its denominator may be zero: 2.01 (-0.4741 to 4.494)");
}

TEST(PValue, AgreesWithTheIntervalsEnds) {
  const Interval interval = Summary(SeedsOf({1, 2, 3, 4, 5}));
  EXPECT_NEAR(PValue(interval, interval.low), 0.05, 1e-9);
  EXPECT_NEAR(PValue(interval, interval.high), 0.05, 1e-9);
  EXPECT_EQ(PValue(interval, 3), 1);
  EXPECT_EQ(PValue(Summary(SeedsOf({2, 2, 2})), 1), 0);
}

// Two arms that differ only in a random draw: about 5 of 100 studies call them different. Of 4000 studies 200 ± 13.8
// are expected; the bound is four deviations.
TEST(Summary, FindsADifferenceOfNothingInFiveOfAHundredStudies) {
  const Random random(17, 0);
  uint64_t next = 0;
  const auto normal = [&] { return random.Normal(next++); };
  int different = 0;
  constexpr int kStudies = 4000, kSeeds = 5;
  for (int study = 0; study < kStudies; ++study) {
    SeedValues a, b;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const double shared = 2.5 + normal();
      a.values[seed] = shared + 0.01 * normal();
      b.values[seed] = shared + 0.01 * normal();
    }
    const Interval interval = Summary(Difference(a, b));
    different += !interval.Contains(0);
  }
  EXPECT_NEAR(different, 200, 55);
}

}  // namespace
}  // namespace ampgrad::train
