#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/train/claims/planted_claims.h"

namespace ampgrad::train {
namespace {

TEST(JudgeClaims, NamesEveryClaimAndWhatWouldDecideIt) {
  const std::vector<Finding> findings = JudgeClaims({Study({})});
  std::set<std::string> ids;
  for (const Finding& finding : findings) {
    ids.insert(finding.id);
    EXPECT_EQ(finding.verdict, Verdict::kNotTestable) << finding.id;
    EXPECT_FALSE(finding.decides.empty()) << finding.id;
    EXPECT_FALSE(finding.rule.empty() || finding.claim.empty()) << finding.id;
  }
  EXPECT_EQ(ids.size(), 27u);
}

// Reconstructed K = 8 falls from 8 to 2.2: 5.8 of 2 from its start, 1.8 of 2 from the base.
TEST(JudgeClaims, TellsTheTwoEfficienciesApart) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, Around(2.2, 0.002, 2));
  EXPECT_EQ(VerdictsOf(Study(runs), "C1"), (Words{"holds", "holds"}));
  runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, Around(4.5, 0.002, 2));
  const std::vector<Finding> findings = Of(JudgeClaims({Study(runs)}), "C1");
  EXPECT_EQ(findings[0].verdict, Verdict::kHolds);  // 3.5/2
  EXPECT_EQ(findings[1].verdict, Verdict::kDoesNotHold);
  EXPECT_NEAR(findings[0].figures[0].interval.mean, 1.75, 0.01);
  EXPECT_NEAR(findings[1].figures[0].interval.mean, -0.25, 0.01);
  EXPECT_EQ(findings[0].arms, (Words{"reconstructed K=8", "full"}));
}

TEST(JudgeClaims, ADivergedRunLeavesAClaimUndecided) {
  std::vector<StudyRun> runs = WithFull();
  std::vector<double> ends = Around(2.2, 0.002);
  ends[3] = NAN;
  ends.push_back(2.2);
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, ends);
  const Finding finding = Of(JudgeClaims({Study(runs)}), "C1")[0];
  EXPECT_EQ(finding.verdict, Verdict::kUndecided);
  EXPECT_NE(Describe(finding.figures[0]).find("4 seeds, 1 diverged, 1 missing"), std::string::npos)
      << Describe(finding.figures[0]);
}

TEST(JudgeClaims, SmallKSufficesWithinFivePoints) {
  const auto with = [](double at_32) {
    std::vector<StudyRun> runs = WithFull();
    Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.2, 0.002, 1));
    Plant(runs, AmplitudeArm(kExact, 16), 4, 4, Around(2.15, 0.002, 2));
    Plant(runs, AmplitudeArm(kExact, 32), 4, 4, Around(at_32, 0.002, 3));
    return VerdictsOf(Study(runs), "C2");
  };
  EXPECT_EQ(with(2.12), (Words{"not testable here", "holds"}));          // 4 points below
  EXPECT_EQ(with(2.05), (Words{"not testable here", "does not hold"}));  // 7.5 points
  EXPECT_EQ(with(2.1), (Words{"not testable here", "undecided"}));       // 5 points, to the noise
}

TEST(JudgeClaims, BasesAreComparedAtEqualK) {
  std::vector<StudyRun> runs = WithFull();
  for (const Index k : {8, 32}) {
    Plant(runs, AmplitudeArm(kExact, k), 4, 4, Around(2.5, 0.01));
    Plant(runs, AmplitudeArm(kExact, k, ct::BasisKind::kRandom), 4, 4, Around(2.5, 0.01, 2));
    Plant(runs, AmplitudeArm(kExact, k, ct::BasisKind::kBottom), 4, 4, Around(2.8, 0.01, 2));
    Plant(runs, AmplitudeArm(kExact, k, ct::BasisKind::kMinor), 4, 4, Around(2.9, 0.01, 3));
  }
  EXPECT_EQ(VerdictsOf(Study(runs), "C3"), Words{"undecided"});
  EXPECT_EQ(VerdictsOf(Study(runs), "C4"), Words{"holds"});
}

TEST(JudgeClaims, PhasesNeedAllThree) {
  const auto with = [](const std::vector<double>& ends) {
    std::vector<StudyRun> runs = WithFull();
    Index k = 4;
    for (const double end : ends) {
      Plant(runs, AmplitudeArm(kRebuilt, k), 4, 4, Around(end, 0.01, static_cast<int>(k) % 5));
      k *= 2;
    }
    return VerdictsOf(Study(runs), "C6")[1];
  };
  EXPECT_EQ(with({5, 4, 3.5, 2.5}), "holds");          // −50, 0, 25, 75 %
  EXPECT_EQ(with({5, 4, 3, 2.5}), "does not hold");    // 75 % is less than twice 50 %
  EXPECT_EQ(with({3.9, 3.5, 3, 2}), "does not hold");  // none is destructive
  EXPECT_EQ(with({5, 4.5, 3.5, 2.5}), "undecided");    // none at breakeven
}

// K = d/32 = 8 of 256: 2 ± 0.002 of full against 1.9 and 2.1.
TEST(JudgeClaims, SurpassingIsByTheEndLoss) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 9, Around(2.1, 0.002, 1));
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(1.9, 0.002, 1));
  EXPECT_EQ(VerdictsOf(Study(runs), "C7"), (Words{"does not hold", "holds"}));
  EXPECT_EQ(VerdictsOf(Study(runs, 0), "C7"), (Words{"not testable here", "not testable here"}));
}

// LoRA of nearly as many numbers is the one of rank 1; 2 % of full SFT's gain of 2 is 0.04.
TEST(JudgeClaims, LoraIsMatchedByItsCount) {
  const auto with = [](double scores) {
    std::vector<StudyRun> runs = WithFull();
    Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(scores, 0.002, 1), 1000);
    Plant(runs, LowRankArm("lora", 8), 4, 4, Around(2.0, 0.002, 2), 8000);
    Plant(runs, LowRankArm("lora", 1), 4, 4, Around(2.3, 0.002, 3), 1100);
    return Of(JudgeClaims({Study(runs)}), "C12")[1];
  };
  EXPECT_EQ(with(2.32).verdict, Verdict::kHolds);
  EXPECT_EQ(with(2.36).verdict, Verdict::kDoesNotHold);
  EXPECT_EQ(with(2.36).arms, (Words{"full", "exact K=8", "lora r=1"}));
}

TEST(JudgeClaims, CaptureContainsHalfAndNotChance) {
  StudyInput study = Study(WithFull(), 64);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const double noise = 0.01 * static_cast<double>(seed % 3);
    study.captures[seed] = {{8, 0.1}, {32, 0.49 + noise}, {64, 1}};
  }
  EXPECT_EQ(VerdictsOf(study, "C11"), Words{"undecided"}) << "K/d is 50 %, too";
  study.width = 256;
  EXPECT_EQ(VerdictsOf(study, "C11"), Words{"holds"});
  study.captures[5][32] = 0.2;
  EXPECT_EQ(VerdictsOf(study, "C11"), Words{"undecided"}) << "wide";
}

// Gaps at training losses 3 and 1 of full SFT: 0.1 and 0.5; at 2 it has 0.3.
TEST(JudgeClaims, GapsAreComparedAtEqualTrainingLoss) {
  const auto with = [](double gap) {
    std::vector<StudyRun> runs;
    const auto plant = [&](const Arm& arm, double train, double apart) {
      Plant(runs, arm, 4, 4, Around(train + apart, 0.001, static_cast<int>(train)));
      for (size_t i = runs.size() - 5; i < runs.size(); ++i) runs[i].train_loss = train;
    };
    plant(FullArm(), 3, 0.1);
    plant(FullArm("full, 500 steps", 500), 1, 0.5);
    plant(AmplitudeArm(kExact, 8), 2, gap);
    return VerdictsOf(Study(runs), "C9");
  };
  EXPECT_EQ(with(0.2), Words{"holds"});
  EXPECT_EQ(with(0.4), Words{"does not hold"});
  EXPECT_EQ(with(0.3), Words{"undecided"});
}

// On few samples the gap of full SFT is another than on fresh batches: each is compared with its own.
TEST(JudgeClaims, GapsAreComparedOnAsManySamples) {
  const auto with = [](double gap) {
    std::vector<StudyRun> runs = WithFull();
    const auto plant = [&](Arm arm, double train, double apart) {
      arm.samples = 64;
      arm.name += ", 64 samples" + std::to_string(static_cast<int>(train));
      Plant(runs, arm, 4, 4, Around(train + apart, 0.001, static_cast<int>(train)));
      for (size_t i = runs.size() - 5; i < runs.size(); ++i) runs[i].train_loss = train;
    };
    Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.1, 0.001));
    plant(FullArm(), 3, 0.1);
    plant(FullArm("full, 500 steps", 500), 1, 0.5);
    plant(AmplitudeArm(kExact, 8), 2, gap);
    return VerdictsOf(Study(runs), "C9");
  };
  EXPECT_EQ(with(0.2), (Words{"not testable here", "holds"}));
  EXPECT_EQ(with(0.4), (Words{"not testable here", "does not hold"}));
}

// 80 % is reached at K = 4·(d/64)^e, in between the curve's points, where e differs a little from seed to seed.
StudyInput OfWidth(Index width, double exponent) {
  const std::vector<double> exponents = Around(exponent, 0.01);
  std::vector<StudyRun> runs = WithFull();
  for (Index k = 1; k <= 128; k *= 2) {
    std::vector<double> ends;
    for (size_t i = 0; i < 5; ++i) {
      const double reach = 4 * std::pow(static_cast<double>(width) / 64, exponents[i]);
      const double efficiency = 0.8 + 0.1 * std::log2(static_cast<double>(k) / reach);  // linear in log K
      ends.push_back(4 - efficiency * (4 - runs[i].end_loss));
    }
    for (const ct::Start start : {kExact, kRebuilt}) Plant(runs, AmplitudeArm(start, k), 4, 4, ends);
  }
  StudyInput study = Study(runs, width);
  study.name = std::to_string(width);
  return study;
}

TEST(JudgeClaims, AnExponentIsFittedOverWidths) {
  const auto verdicts = [&](double exponent) {
    Words words;
    for (const Finding& finding :
         Of(JudgeClaims({OfWidth(256, exponent), OfWidth(64, exponent), OfWidth(128, exponent)}), "C10")) {
      words.push_back(ToString(finding.verdict));
      EXPECT_NEAR(finding.figures[0].interval.mean, exponent, 1e-9);
    }
    return words;
  };
  EXPECT_EQ(verdicts(0.6), (Words{"holds", "does not hold", "holds", "does not hold"}));
  EXPECT_EQ(verdicts(1), (Words{"does not hold", "holds", "does not hold", "holds"}));
  EXPECT_EQ(verdicts(0.8), Words(4, "does not hold"));
  EXPECT_EQ(VerdictsOf(OfWidth(64, 0.6), "C10"), Words(4, "not testable here"));
}

// At K = d/32 the curves of the exponent 0.6 give 80 % − 10 points·log₂(4·(d/64)^0.6/(d/32)): more for a larger d.
TEST(JudgeClaims, FallingWithScaleIsASlope) {
  const auto judged = [](double exponent) {
    return Of(JudgeClaims({OfWidth(64, exponent), OfWidth(256, exponent)}), "C22")[0];
  };
  EXPECT_EQ(judged(0.6).verdict, Verdict::kDoesNotHold);
  EXPECT_NEAR(judged(0.6).figures[0].interval.mean, 0.1 * (1 - 0.6), 1e-9);
  EXPECT_EQ(judged(1.3).verdict, Verdict::kHolds);
}

TEST(JudgeClaims, ReadsTheAnalysis) {
  StudyInput study = Study({});
  const auto p = [](double value, double at) { return nlohmann::json{{"r2", value}, {"p", at}}; };
  study.analysis = {{"width", 256},
                    {"depth", {{"layer mean", {{"value", 0.8}, {"p", 0.001}}}}},
                    {"corpus", {{"all_layers", p(-0.02, 0.5)}, {"vocabulary", p(0.3, 0.005)}}}};
  for (const int k : {4, 16, 64}) {
    nlohmann::json& at = study.analysis["by_k"][std::to_string(k)];
    at["mean_max_cosine"] = {{"value", 0.3}, {"level", 0.2}};
    at["cosine_within_span"] = k == 4 ? 0.4 : 0.25;
    for (int m = 0; m < 12; ++m) {
      at["matrices"]["m" + std::to_string(m)]["amplitude_pr"]["value"] = (1 + 0.01 * m) * std::sqrt(k);
    }
  }
  EXPECT_EQ(VerdictsOf(study, "C15"), Words{"holds"});
  EXPECT_EQ(VerdictsOf(study, "C17"), Words{"holds"});
  EXPECT_EQ(VerdictsOf(study, "C18"), Words{"holds"});
  study.analysis["corpus"]["vocabulary"]["p"] = 0.4;
  study.analysis["depth"]["layer mean"] = {{"value", -0.9}, {"p", 0.001}};
  EXPECT_EQ(VerdictsOf(study, "C15"), Words{"undecided"});
  EXPECT_EQ(VerdictsOf(study, "C18"), Words{"does not hold"});
}

// `ampgrad analyze` without --text writes no corpus, and of one layer no depth.
TEST(JudgeClaims, ReadsAnAnalysisWithoutCorpus) {
  StudyInput study = Study({});
  study.analysis["by_k"]["8"]["mean_max_cosine"] = {{"value", nullptr}, {"level", nullptr}};
  for (const char* claim : {"C15", "C16", "C17", "C18"}) {
    EXPECT_EQ(VerdictsOf(study, claim), Words{"not testable here"}) << claim;
  }
}

// Frames in R^d pass 0.2 in 5 of 100, those inside span(B) `level`, and have the mean `within`.
TEST(JudgeClaims, AlignmentIsBeyondBothLevels) {
  const auto with = [](double cosine, double within, double level) {
    StudyInput study = Study({});
    nlohmann::json& at = study.analysis["by_k"]["8"];
    at["mean_max_cosine"] = {{"value", cosine}, {"level", 0.2}};
    at["cosine_within_span"] = within;
    if (!std::isnan(level)) at["cosine_within_span_level"] = level;
    return VerdictsOf(study, "C16");
  };
  EXPECT_EQ(with(0.31, 0.25, 0.3), Words{"holds"});
  EXPECT_EQ(with(0.3, 0.25, 0.3), Words{"does not hold"}) << "at the level";
  EXPECT_EQ(with(0.28, 0.25, 0.3), Words{"does not hold"}) << "above the mean alone";
  EXPECT_EQ(with(0.2, 0.1, 0.15), Words{"does not hold"}) << "frames in R^d";
  EXPECT_EQ(with(0.28, 0.25, NAN), Words{"undecided"}) << "without the level";
  EXPECT_EQ(with(0.25, 0.25, NAN), Words{"does not hold"}) << "not above their mean, and so not above the level";
}

}  // namespace
}  // namespace ampgrad::train
