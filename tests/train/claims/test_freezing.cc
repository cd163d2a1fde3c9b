#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/claims/planted_claims.h"
#include "train/claims/freezing.h"

namespace ampgrad::train {
namespace {

Arm Frozen(const std::string& order) {
  Arm arm = AmplitudeArm(kExact, 8);
  arm.name += ", freeze " + order;
  arm.groups = {"freezing"};
  arm.freeze = order;
  return arm;
}

// Runs from loss 4 to `ends` in a straight line of `seconds`, a little more or less with the seed.
void PlantTimed(std::vector<StudyRun>& runs, const Arm& arm, const std::vector<double>& ends, double seconds) {
  const size_t first = runs.size();
  Plant(runs, arm, 4, 4, ends);
  const std::vector<double> all = Around(seconds, 0.001 * seconds, static_cast<int>(first));
  for (size_t i = first; i < runs.size(); ++i) {
    const double end = runs[i].end_loss, time = all[i - first];
    runs[i].held_out = {{10, (4 + end) / 2, time / 2}, {20, end, time}};
  }
}

// Without freezing 20 s to a loss of 2; by PR `seconds` to `end`; in random order to `random`.
StudyInput With(double seconds, double end, double random) {
  std::vector<StudyRun> runs = WithFull();
  PlantTimed(runs, AmplitudeArm(kExact, 8), Around(2, 0.001), 20);
  PlantTimed(runs, Frozen("pr"), Around(end, 0.001), seconds);
  PlantTimed(runs, Frozen("random"), Around(random, 0.001, 2), seconds);
  return Study(runs);
}

TEST(SecondsToReach, IsInterpolated) {
  StudyRun run;
  run.start_loss = 4;
  run.held_out = {{10, 3, 10}, {20, 2, 30}, {30, 2.5, 40}};
  EXPECT_DOUBLE_EQ(SecondsToReach(run, 3.5), 5);
  EXPECT_DOUBLE_EQ(SecondsToReach(run, 3), 10);
  EXPECT_DOUBLE_EQ(SecondsToReach(run, 2.5), 20);
  EXPECT_DOUBLE_EQ(SecondsToReach(run, 2), 30);
  EXPECT_TRUE(std::isnan(SecondsToReach(run, 1.9)));
  EXPECT_TRUE(std::isnan(SecondsToReach(run, 4))) << "there is nothing to reach";
  run.held_out[1].seconds = NAN;
  EXPECT_TRUE(std::isnan(SecondsToReach(run, 2.5)));
}

// By PR the loss falls by 2.5 in 12 s, of which a fall by 2 takes 9.6 s: 20/9.6.
TEST(EarlyFreezing, IsTimeToTheSameLoss) {
  const StudyInput study = With(12, 1.5, 1.6);
  const Finding finding = Of(JudgeClaims({study}), "C14")[0];
  EXPECT_EQ(finding.verdict, Verdict::kHolds);
  EXPECT_NEAR(finding.figures[0].interval.mean, 20 / 9.6, 0.005);
  EXPECT_NEAR(finding.figures[2].interval.mean, 20.0 / 12, 0.005);
  EXPECT_EQ(finding.figures[3].interval.mean, 0);
  EXPECT_EQ(finding.arms, (Words{"exact K=8", "exact K=8, freeze pr", "exact K=8, freeze random"}));
  EXPECT_NE(finding.rule.find("at most 1.2 times"), std::string::npos);
}

TEST(EarlyFreezing, NeedsBothTheTimeAndTheOrder) {
  EXPECT_EQ(VerdictsOf(With(13, 1.5, 1.6), "C14"), Words{"does not hold"}) << "20/10.4 is below 2";
  EXPECT_EQ(VerdictsOf(With(12.5, 1.5, 1.6), "C14"), Words{"undecided"}) << "20/10 is 2";
  EXPECT_EQ(VerdictsOf(With(12, 1.5, 1.4), "C14"), Words{"does not hold"}) << "random order ends lower";
  EXPECT_EQ(VerdictsOf(With(12, 1.5, 1.5), "C14"), Words{"undecided"}) << "neither ends lower";
}

// A run that ends above the loss needs more than all of its time.
TEST(EarlyFreezing, CountsARunThatNeverReachesTheLoss) {
  const Finding slow = Of(JudgeClaims({With(17, 2.1, 2.2)}), "C14")[0];
  EXPECT_EQ(slow.verdict, Verdict::kDoesNotHold) << "at most 20/17";
  EXPECT_NEAR(slow.figures[0].interval.mean, 20.0 / 17, 0.005);
  EXPECT_EQ(slow.figures[3].interval.mean, 5);
  const Finding fast = Of(JudgeClaims({With(5, 2.1, 2.2)}), "C14")[0];
  EXPECT_EQ(fast.verdict, Verdict::kUndecided) << "20/5 is only a bound";
  EXPECT_EQ(fast.decides, "longer runs by PR, until each reaches the loss");
}

TEST(EarlyFreezing, NeedsTimes) {
  std::vector<StudyRun> runs = With(12, 1.5, 1.6).runs.runs();
  for (StudyRun& run : runs) {
    for (HeldOutPoint& point : run.held_out) point.seconds = NAN;
  }
  EXPECT_EQ(VerdictsOf(Study(runs), "C14"), Words{"not testable here"});
}

}  // namespace
}  // namespace ampgrad::train
