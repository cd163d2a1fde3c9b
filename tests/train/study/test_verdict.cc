#include <gtest/gtest.h>

#include "train/study/verdict.h"

namespace ampgrad::train {
namespace {

constexpr Verdict kHolds = Verdict::kHolds, kFails = Verdict::kDoesNotHold, kOpen = Verdict::kUndecided,
                  kNoVerdict = Verdict::kNotTestable;

// An interval of five seeds; its deviation is the one that gives these ends: (high − low)/2·√5/2.7764.
Interval From(double low, double high) {
  Interval interval;
  interval.mean = (low + high) / 2;
  interval.low = low;
  interval.high = high;
  interval.deviation = (high - low) / 2 * 2.2360680 / 2.7764451;
  interval.seeds = 5;
  return interval;
}

TEST(JudgeThreshold, DecidesAtItsEdges) {
  EXPECT_EQ(JudgeThreshold(From(0.85, 0.9), Side::kAtLeast, 0.85), kHolds);
  EXPECT_EQ(JudgeThreshold(From(0.8499, 0.9), Side::kAtLeast, 0.85), kOpen);
  EXPECT_EQ(JudgeThreshold(From(0.7, 0.85), Side::kAtLeast, 0.85), kOpen);
  EXPECT_EQ(JudgeThreshold(From(0.7, 0.8499), Side::kAtLeast, 0.85), kFails);
  EXPECT_EQ(JudgeThreshold(From(0, 1), Side::kAbove, 0), kOpen);  // 0 is not above 0
  EXPECT_EQ(JudgeThreshold(From(0.001, 1), Side::kAbove, 0), kHolds);
  EXPECT_EQ(JudgeThreshold(From(-1, 0), Side::kAbove, 0), kFails);
  EXPECT_EQ(JudgeThreshold(From(-1, 0), Side::kBelow, 0), kOpen);
  EXPECT_EQ(JudgeThreshold(From(-1, -0.001), Side::kBelow, 0), kHolds);
  EXPECT_EQ(JudgeThreshold(From(0, 1), Side::kBelow, 0), kFails);
  EXPECT_EQ(JudgeThreshold(From(0, 1), Side::kAtMost, 1), kHolds);
  EXPECT_EQ(JudgeThreshold(From(1.001, 2), Side::kAtMost, 1), kFails);
}

TEST(JudgeThreshold, FourSeedsOrADivergedRunDecideNothing) {
  Interval interval = From(1, 2);
  interval.seeds = 4;
  EXPECT_EQ(JudgeThreshold(interval, Side::kAbove, 0), kOpen);
  EXPECT_EQ(WhatDecides({interval}, kOpen), "5 seeds; there are 4");
  interval = From(1, 2);
  interval.diverged = 1;
  EXPECT_EQ(JudgeThreshold(interval, Side::kAbove, 0), kOpen);
  EXPECT_EQ(JudgeThreshold(interval, Side::kBelow, 0), kOpen);
  EXPECT_EQ(WhatDecides({interval}, kOpen), "runs that do not diverge: 1 did, and no interval speaks for them");
  EXPECT_EQ(JudgeThreshold({}, Side::kAbove, 0), kNoVerdict);
  Interval gone;
  gone.diverged = 5;
  EXPECT_EQ(JudgeThreshold(gone, Side::kAbove, 0), kOpen);
}

TEST(JudgeAll, OneThatFailsDecides) {
  EXPECT_EQ(JudgeAll({From(1, 2), From(-2, -1)}, Side::kAbove, 0), kFails);
  EXPECT_EQ(JudgeAll({From(1, 2), From(1, 2)}, Side::kAbove, 0), kHolds);
  EXPECT_EQ(JudgeAll({From(1, 2), From(-1, 2)}, Side::kAbove, 0), kOpen);
  EXPECT_EQ(JudgeAll({From(1, 2), {}}, Side::kAbove, 0), kNoVerdict);
  EXPECT_EQ(JudgeAll({}, Side::kAbove, 0), kNoVerdict);
}

// An interval that just clears the bound has a p of nearly 5 %: enough alone, and as the last of two by Holm, but not
// as the first of two.
TEST(JudgeAll, CorrectsForSeveralComparisons) {
  const Interval just = From(0.001, 2), far = From(10, 11);
  EXPECT_EQ(JudgeAll({just}, Side::kAbove, 0), kHolds);
  EXPECT_EQ(JudgeAll({just, far}, Side::kAbove, 0), kHolds);
  EXPECT_EQ(JudgeAll({just, just}, Side::kAbove, 0), kOpen);
}

TEST(JudgeAll, HasAThresholdForEach) {
  const Interval low = From(-2, -1), high = From(3, 4);
  EXPECT_EQ(JudgeAll({{high, Side::kAtLeast, 2}, {low, Side::kBelow, 0}}), kHolds);
  EXPECT_EQ(JudgeAll({{high, Side::kAtLeast, 2}, {low, Side::kAbove, 0}}), kFails);
  EXPECT_EQ(JudgeAll({{high, Side::kAtLeast, 3.5}, {low, Side::kBelow, 0}}), kOpen);
}

TEST(JudgeContains, NeedsANarrowIntervalWithoutAlternatives) {
  EXPECT_EQ(JudgeContains(From(0.25, 0.45), 0.35, 0.100001, {}), kHolds);
  EXPECT_EQ(JudgeContains(From(0.24, 0.46), 0.35, 0.10, {}), kOpen);
  EXPECT_EQ(JudgeContains(From(0.35, 0.45), 0.35, 0.10, {}), kHolds) << "an end belongs to the interval";
  EXPECT_EQ(JudgeContains(From(0.3501, 0.45), 0.35, 0.10, {}), kFails);
  EXPECT_EQ(JudgeContains(From(0, 0.3499), 0.35, 0.10, {}), kFails) << "however wide";
  EXPECT_EQ(JudgeContains(From(0.5, 0.7), 0.6, 0.15, {2.0 / 3}), kOpen);
  EXPECT_EQ(JudgeContains(From(0.5, 0.7), 0.6, 0.15, {1}), kHolds);
}

TEST(AllOf, OneThatFailsOutweighsOneThatIsNotTestable) {
  EXPECT_EQ(AllOf({kHolds, kNoVerdict, kFails}), kFails);
  EXPECT_EQ(AllOf({kHolds, kNoVerdict}), kNoVerdict);
  EXPECT_EQ(AllOf({kHolds, kOpen}), kOpen);
  EXPECT_EQ(AllOf({kHolds}), kHolds);
}

}  // namespace
}  // namespace ampgrad::train
