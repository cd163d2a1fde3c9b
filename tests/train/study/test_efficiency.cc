#include <gtest/gtest.h>

#include <set>

#include "tests/train/study/planted_study.h"
#include "train/study/efficiency.h"

namespace ampgrad::train {
namespace {

// Full falls from 4 to 2, whatever the seed; both starts at K = 2 and 8.
StudyRuns Small() {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, {2.0, 2.1, 1.9});
  Plant(runs, AmplitudeArm(kRebuilt, 2), 4, 9, {5.0, 5.0, 5.0}, 100);
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 7, {3.0, 3.1, 2.9}, 400);
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, {2.5, 2.5, 2.5}, 400);
  Plant(runs, AmplitudeArm(kExact, 8, ct::BasisKind::kRandom), 4, 4, {3, 3, 3}, 400);
  return StudyRuns(runs);
}

TEST(Efficiency, IsOfEachSeed) {
  const StudyRuns runs = Small();
  const Arm& arm = *runs.Amplitude(kRebuilt, 8);
  // Falls from the start 4, 3.9, 4.1 over 2, 1.9, 2.1; from the base 1, 0.9, 1.1 over the same.
  const SeedValues start = Efficiency(runs, arm, Gain::kFromStart), base = Efficiency(runs, arm, Gain::kFromBase);
  EXPECT_DOUBLE_EQ(start.values.at(1), 2);
  EXPECT_NEAR(start.values.at(2), 3.9 / 1.9, 1e-12);
  EXPECT_DOUBLE_EQ(base.values.at(1), 0.5);
  EXPECT_NEAR(base.values.at(3), 1.1 / 2.1, 1e-12);
  const Arm& exact = *runs.Amplitude(kExact, 8);
  EXPECT_EQ(Efficiency(runs, exact, Gain::kFromStart).values, Efficiency(runs, exact, Gain::kFromBase).values);
}

TEST(Efficiency, IsMeasuredInTheSameScopeAndSteps) {
  std::vector<StudyRun> runs = Small().runs();
  Plant(runs, FullArm("full, 5 steps", 5), 4, 4, {3, 3, 3});
  Plant(runs, AmplitudeArm(kExact, 8, ct::BasisKind::kUniversal, 5), 4, 4, {3.5, 3.5, 3.5});
  Arm head = FullArm("full, head");
  head.method.scope.head = true;
  Arm scores = AmplitudeArm(kExact, 4);
  scores.method.scope.targets = {"o_proj"};
  Plant(runs, head, 4, 4, {1, 1, 1});
  Plant(runs, scores, 4, 4, {3, 3, 3});
  const StudyRuns study(runs);
  const Arm& short_arm = *study.Find([](const Arm& arm) { return arm.steps == 5 && arm.method.k == 8; });
  EXPECT_DOUBLE_EQ(Summary(Efficiency(study, short_arm, Gain::kFromBase)).mean, 0.5);  // of 4 − 3, not of 4 − 2
  const Arm& alone = *study.Find([](const Arm& arm) { return !arm.method.scope.targets.empty(); });
  const Interval none = Summary(Efficiency(study, alone, Gain::kFromBase));
  EXPECT_FALSE(none.HasMean());
  EXPECT_EQ(none.why, "there is no full fine-tuning of the same scope and steps");
  EXPECT_DOUBLE_EQ(
      Summary(Efficiency(study, *study.Find([](const Arm& a) { return a.method.scope.head; }), Gain::kFromBase)).mean,
      1);
  EXPECT_EQ(study.Amplitudes(kExact).size(), 1u) << "other steps and scopes are no points of the curve";
}

TEST(Efficiency, IsNotPrintedWhereFullGainsNothing) {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, {3.9, 4.1, 4.0});
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, {3, 3, 3});
  const StudyRuns study(runs);
  EXPECT_FALSE(KCurve(study, kExact)[0].from_base.HasMean());
  EXPECT_TRUE(KCurve(study, kExact)[0].end_loss.HasMean());
}

TEST(KCurve, NeverHidesARun) {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, {2, 2, 2, 2, 2});
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, {3, 3.1, NAN, 3});
  const CurvePoint point = KCurve(StudyRuns(runs), kExact)[0];
  for (const Interval& interval : {point.end_loss, point.from_base, point.from_start, point.against_full}) {
    EXPECT_EQ(DescribeSeeds(interval), "3 seeds, 1 diverged, 1 missing");
  }
  EXPECT_EQ(BestK(StudyRuns(runs), kExact), nullptr);
}

TEST(KCurve, CountsNumbersForEachPoint) {
  const std::vector<CurvePoint> curve = KCurve(Small(), kRebuilt);
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[0].k, 2);
  EXPECT_TRUE(std::isnan(curve[0].TrainedPerPoint())) << "it ends above the base";
  const double mean = (0.5 + 0.9 / 1.9 + 1.1 / 2.1) / 3;
  EXPECT_NEAR(curve[1].TrainedPerPoint(), 400 / (100 * mean), 1e-9);
  EXPECT_NEAR(curve[1].against_full.mean, 1, 1e-12);
  EXPECT_EQ(BestK(Small(), kRebuilt)->method.k, 8);
}

// From the base: (4 − 5)/2 = −50 % at K = 2 and (4 − 3)/2 = 50 % at K = 8, so 100 points in 6 scores.
TEST(MarginalReturns, AreForEachScore) {
  const StudyRuns runs = Small();
  const auto returns = MarginalReturns(runs, kRebuilt, Gain::kFromBase);
  ASSERT_EQ(returns.size(), 1u);
  const SeedValues low = Efficiency(runs, *returns[0].from, Gain::kFromBase);
  EXPECT_DOUBLE_EQ(low.values.at(1), -0.5);
  const double second = (0.9 / 1.9 + 1 / 1.9) / 6, third = (1.1 / 2.1 + 1 / 2.1) / 6;
  EXPECT_NEAR(returns[0].per_k.mean, (1.0 / 6 + second + third) / 3, 1e-12);
}

// 60 % at K = 4 and 90 % at K = 16: 80 % lies two thirds of the way in log K, at 4·4^(2/3).
TEST(KReaching, InterpolatesInTheLogarithm) {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, {3, 3});
  Plant(runs, AmplitudeArm(kExact, 4), 4, 4, {3.4, 3.4});
  Plant(runs, AmplitudeArm(kExact, 16), 4, 4, {3.1, 3.3});
  const SeedValues k = KReaching(StudyRuns(runs), kExact, 0.8);
  EXPECT_NEAR(k.values.at(1), 4 * std::pow(4, 2.0 / 3), 1e-9);
  EXPECT_EQ(k.missing, (std::set<uint64_t>{2}));
  EXPECT_EQ(k.why, "1 of 2 seeds do not pass 80 % between two values of K");
  EXPECT_EQ(KReaching(StudyRuns(runs), kExact, 0.5).missing.size(), 2u) << "reached below the least K";
}

TEST(ExponentBySeed, IsTheSlopeOfTheLogarithms) {
  SeedValues a, b, c;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const double power = 0.5 + 0.1 * static_cast<double>(seed);
    a.values[seed] = 3 * std::pow(64, power);
    b.values[seed] = 3 * std::pow(128, power);
    if (seed < 3) c.values[seed] = 3 * std::pow(256, power);
  }
  c.missing = {3};
  const SeedValues slope = ExponentBySeed({64, 128, 256}, {a, b, c});
  EXPECT_NEAR(slope.values.at(1), 0.6, 1e-12);
  EXPECT_NEAR(slope.values.at(2), 0.7, 1e-12);
  EXPECT_EQ(slope.missing, (std::set<uint64_t>{3}));
}

// The same method with other samples, a part of its steps frozen, or at the rate of a norm is no point of the curve.
TEST(StudyRuns, CompareArmsThatHadTheSameChance) {
  std::vector<StudyRun> runs = Small().runs();
  const auto plant = [&](Arm arm, const std::string& name) {
    arm.name += name;
    Plant(runs, arm, 4, 4, {1, 1, 1}, 400);
  };
  Arm few = AmplitudeArm(kExact, 8), frozen = few, matched = few, few_full = FullArm();
  few.samples = few_full.samples = 64;
  frozen.freeze = "pr";
  matched.norm_of = "lora r=8";
  plant(few, ", 64 samples");
  plant(frozen, ", freeze pr");
  plant(matched, ", norm of lora r=8");
  const StudyRuns without(runs);
  EXPECT_EQ(without.Amplitudes(kExact).size(), 1u);
  EXPECT_EQ(without.FullFor(few), nullptr);
  EXPECT_EQ(without.FullFor(frozen)->name, "full");
  EXPECT_EQ(without.FullFor(matched)->name, "full");
  plant(few_full, ", 64 samples");
  const StudyRuns with(runs);
  EXPECT_EQ(with.FullFor(few)->name, "full, 64 samples");
  EXPECT_EQ(with.Full()->name, "full");
}

TEST(StudyRuns, ALevelsOneRunServesEverySeed) {
  std::vector<StudyRun> runs = Small().runs();
  Arm mean = AmplitudeArm(kRebuilt, 0);
  mean.kind = ArmKind::kMeanRow;
  Plant(runs, mean, 4, 12, {12});
  const StudyRuns study(runs);
  const Interval level = Summary(study.Of(mean, [](const StudyRun& run) { return run.end_loss; }));
  EXPECT_EQ(DescribeSeeds(level), "3 seeds");
  EXPECT_EQ(level.mean, 12);
  EXPECT_EQ(study.Amplitudes(kRebuilt).size(), 2u);
}

}  // namespace
}  // namespace ampgrad::train
