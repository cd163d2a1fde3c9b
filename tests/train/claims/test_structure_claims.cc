#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/claims/planted_claims.h"

namespace ampgrad::train {
namespace {

Finding Only(const StudyInput& study, const std::string& id) {
  const std::vector<Finding> findings = Of(JudgeClaims({study}), id);
  EXPECT_EQ(findings.size(), 1u);
  return findings.at(0);
}

TEST(SmallVariants, CountsTheWholeFile) {
  StudyInput study = Study(WithFull());
  study.files = {{.arm = "a", .model = 3000, .scores = 60, .basis = 20, .frozen = 40, .loss = 2.5}};
  study.file_lines = {7};
  const Finding holds = Only(study, "C19");
  EXPECT_EQ(holds.verdict, Verdict::kHolds) << "30 times exactly";
  EXPECT_DOUBLE_EQ(holds.figures[0].interval.mean, 30);
  EXPECT_DOUBLE_EQ(holds.figures[1].interval.mean, 75) << "the basis is shared, the frozen tensors are the model's";
  EXPECT_DOUBLE_EQ(holds.figures[2].interval.mean, 2.5);
  EXPECT_DOUBLE_EQ(holds.figures[3].interval.mean, 2.5 - 4);
  EXPECT_EQ(holds.arms, Words{"file of a"});
  EXPECT_EQ(study.LinesOf("file of a"), std::vector<Index>{7});
  study.files[0].frozen = 41;
  EXPECT_EQ(Only(study, "C19").verdict, Verdict::kDoesNotHold);
  study.files[0].scores = 20;
  EXPECT_EQ(Only(study, "C19").verdict, Verdict::kNotTestable) << "a file of a basis alone";
}

// Of five matrices one order in 120 is sorted, either way; of four one in 24.
TEST(LowPrIsCrystallizable, IsAnOrderOfMatrices) {
  StudyInput study = Study({});
  const auto verdict = [&](const std::vector<double>& prs, const std::vector<double>& rises) {
    study.cuts.clear();
    for (size_t i = 0; i < prs.size(); ++i) study.cuts.push_back({"m" + std::to_string(i), prs[i], rises[i]});
    return Only(study, "C26").verdict;
  };
  study.cuts_line = 3;
  EXPECT_EQ(verdict({5, 1, 2, 4, 3}, {0.5, -0.1, 0.2, 0.4, 0.3}), Verdict::kHolds);
  EXPECT_DOUBLE_EQ(Only(study, "C26").figures[0].interval.mean, 1);
  EXPECT_NE(Describe(Only(study, "C26").figures[0]).find("(p 0.017)"), std::string::npos);
  EXPECT_EQ(study.LinesOf(Only(study, "C26").arms[0]), std::vector<Index>{3});
  EXPECT_EQ(verdict({5, 1, 2, 4, 3}, {0.1, 0.5, 0.4, 0.2, 0.3}), Verdict::kDoesNotHold);
  EXPECT_EQ(verdict({1, 2, 3, 4}, {0.1, 0.2, 0.3, 0.4}), Verdict::kUndecided);
  EXPECT_EQ(verdict({1, 2, 3, 4, 5}, {0.2, 0.1, 0.3, 0.4, 0.5}), Verdict::kUndecided) << "τ 0.8 has p 0.083";
  EXPECT_EQ(verdict({2, 2, 3, 4, 5}, {0.1, 0.2, 0.3, 0.4, 0.5}), Verdict::kUndecided) << "equal PRs speak against it";
  EXPECT_EQ(verdict({1}, {0.1}), Verdict::kNotTestable);
}

// LoRA of rank 8 at d = 256: by chance 8/256 = 3.125 % of A lies inside.
StudyInput WithOverlap(const std::vector<double>& first, const std::vector<double>& last) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, LowRankArm("lora", 8), 4, 4, Around(2.2, 0.002, 1));
  for (size_t i = 0; i < 5; ++i) runs[5 + i].overlap = {{0, first[i]}, {25, 0.9}, {50, last[i]}};
  return Study(runs);
}

TEST(LoraFindsTheBasis, IsAboveChanceAndRises) {
  constexpr double kChance = 0.03125, kNoise = 0.0005;
  const auto chance = [](double above, int turn = 0) { return Around(kChance + above, kNoise, turn); };
  const Finding holds = Only(WithOverlap(chance(0), chance(0.01, 2)), "C27");
  EXPECT_EQ(holds.verdict, Verdict::kHolds);
  EXPECT_NEAR(holds.figures[0].interval.mean, 0.01, 1e-12);
  EXPECT_NEAR(holds.figures[1].interval.mean, 0.01, 1e-12);
  EXPECT_EQ(holds.arms, Words{"lora r=8"});
  EXPECT_EQ(Only(WithOverlap(chance(-0.02), chance(-0.01, 2)), "C27").verdict, Verdict::kDoesNotHold) << "below r/d";
  EXPECT_EQ(Only(WithOverlap(chance(0.02), chance(0.01, 2)), "C27").verdict, Verdict::kDoesNotHold) << "it falls";
  EXPECT_EQ(Only(WithOverlap(chance(-0.01), chance(0, 2)), "C27").verdict, Verdict::kUndecided) << "at r/d";
  StudyInput without = WithOverlap(chance(0), chance(0.01, 2));
  without.width = 0;
  EXPECT_EQ(Only(without, "C27").verdict, Verdict::kNotTestable);
}

// At the norm of another arm the rate is not LoRA's own.
TEST(LoraFindsTheBasis, IsJudgedAtItsOwnRate) {
  std::vector<StudyRun> runs = WithFull();
  Arm arm = LowRankArm("lora", 8);
  arm.norm_of = "exact K=8";
  Plant(runs, arm, 4, 4, Around(2.2, 0.002, 1));
  for (size_t i = 5; i < 10; ++i) runs[i].overlap = {{0, 0.03}, {50, 0.04}};
  EXPECT_EQ(Only(Study(runs), "C27").verdict, Verdict::kNotTestable);
}

}  // namespace
}  // namespace ampgrad::train
