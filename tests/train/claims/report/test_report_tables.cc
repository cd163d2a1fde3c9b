#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/train/claims/planted_claims.h"
#include "train/claims/report/report_rows.h"
#include "train/claims/report/report_tables.h"

namespace ampgrad::train {
namespace {

StudyInput WithLines(std::vector<StudyRun> runs, Index width = 64) {
  StudyInput study = Study(std::move(runs), width);
  study.lines.resize(study.runs.runs().size());
  std::iota(study.lines.begin(), study.lines.end(), Index{1});
  return study;
}

// The table of this name; without rows where the study has none.
ReportTable TableOf(const StudyInput& study, const std::string& name) {
  for (const ReportTable& table : StudyTables(study)) {
    if (table.name == name) return table;
  }
  return {};
}

Words NamesOf(const ReportTable& table) {
  Words names;
  for (const TableRow& row : table.rows) names.push_back(row.name);
  return names;
}

const TableCell& CellOf(const ReportTable& table, size_t row, const std::string& key) {
  const auto column =
      std::ranges::find(table.columns, key, [](const TableColumn& c) -> const std::string& { return c.key; });
  return table.rows.at(row).cells.at(static_cast<size_t>(column - table.columns.begin()) - 1);
}

double MeanOf(const ReportTable& table, size_t row, const std::string& key) {
  return CellOf(table, row, key).figure.mean;
}

// 500 rows of width 64 in a model of 100,000 numbers.
TEST(StudyTables, DecomposeAsS72Does) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, Around(2.2, 0.01), 4000);
  const ReportTable table = TableOf(WithLines(runs), "decomposition");
  ASSERT_EQ(NamesOf(table), (Words{"scores", "basis", "not decomposed", "the rest of the matrices", "all"}));
  const double here[] = {4000, 512, 68000, 27488, 100000};
  const double paper[] = {371184, 2048, 4352512, 11504656, 16230400};  // as S72 prints them
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(MeanOf(table, i, "count"), here[i]) << i;
    EXPECT_EQ(MeanOf(table, i, "s72_count"), paper[i]) << i;
  }
  EXPECT_EQ(table.rows[0].lines, (std::vector<Index>{6, 7, 8, 9, 10}));
  EXPECT_TRUE(TableOf(WithLines(runs, 0), "decomposition").rows.empty()) << "without the width";
}

// Full falls by 2; reconstructed from 8 to 2.2 by 5.8, with 4 % of the numbers: 2.9/0.04.
TEST(StudyTables, CompareAsS72Does) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, Around(2.2, 0.002), 4000);
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.2, 0.002), 4000);
  Plant(runs, LowRankArm("lora", 8), 4, 4, Around(2.1, 0.002), 8000);
  Plant(runs, LowRankArm("lora", 4), 4, 4, Around(2.3, 0.002), 4100);
  Plant(runs, LowRankArm("lora", 2), 4, 4, Around(2.4, 0.002), 2000);
  const ReportTable table = TableOf(WithLines(runs), "comparison");
  ASSERT_EQ(NamesOf(table), (Words{"full", "reconstructed K=8", "exact K=8", "lora r=4", "lora r=8", "S72, 10.2M: full",
                                   "S72: amplitude K=8", "S72: lora r=8"}));
  EXPECT_NEAR(MeanOf(table, 1, "fall"), 5.8, 1e-9);
  EXPECT_NEAR(MeanOf(table, 1, "efficiency"), 2.9, 1e-4);
  EXPECT_NEAR(MeanOf(table, 1, "from_base_efficiency"), 0.9, 1e-4);
  EXPECT_NEAR(MeanOf(table, 1, "parameter_efficiency"), 72.5, 0.01);
  EXPECT_EQ(CellOf(table, 6, "parameter_efficiency").text, "40.1 ×");
}

// At d = 256, K = 8 is d/32 as 64 is of 2048.
TEST(StudyTables, StandBesideTheSameKAndTheSamePartOfTheWidth) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, Around(2.2, 0.002), 4000);
  const ReportTable table = TableOf(WithLines(runs, 256), "printed_curve");
  ASSERT_EQ(NamesOf(table), (Words{"4", "8", "16", "32", "64"}));
  EXPECT_NEAR(MeanOf(table, 1, "here_at_k"), 2.9, 1e-4);
  EXPECT_NEAR(MeanOf(table, 4, "here_at_k_over_d"), 2.9, 1e-4);
  EXPECT_FALSE(CellOf(table, 4, "here_at_k").HasFigure());
  EXPECT_FALSE(CellOf(table, 3, "here_at_k_over_d").HasFigure()) << "K = 4 was not run";
  EXPECT_NE(table.heading.find("of another model"), std::string::npos);
  EXPECT_TRUE(TableOf(WithLines(WithFull()), "printed_curve").rows.empty());
}

Arm AtRate(Arm arm, double rate) {
  arm.fixed_lr = rate;
  arm.name += ", fixed";
  arm.groups = {"rates"};
  return arm;
}

void SetCurve(std::vector<StudyRun>& runs, size_t first, double from, double to) {
  for (size_t i = first; i < runs.size(); ++i) {
    const double noise = 0.001 * static_cast<double>(runs[i].seed);
    runs[i].curve = {from + noise, (from + to) / 2, to};
  }
}

// The batch loss falls by 1 in full SFT and by 2 in the arm; held out, by 0.5 and 2.
TEST(StudyTables, MeasureAsThePapersDo) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AtRate(FullArm(), 1e-5), 4, 4, Around(3.5, 0.001, 1));
  SetCurve(runs, 5, 4, 3);
  Plant(runs, AtRate(AmplitudeArm(kRebuilt, 8), 5e-4), 4, 6, Around(4, 0.001, 2));
  SetCurve(runs, 10, 7, 5);
  const ReportTable table = TableOf(WithLines(runs), "papers_protocol");
  ASSERT_EQ(NamesOf(table), (Words{"full, fixed", "reconstructed K=8, fixed"}));
  EXPECT_EQ(CellOf(table, 1, "steps").text, "3");
  EXPECT_NEAR(MeanOf(table, 1, "batch_fall"), 2.003, 1e-9);
  EXPECT_NEAR(MeanOf(table, 1, "batch_efficiency"), 2.003 / 1.003, 1e-4);
  EXPECT_NEAR(MeanOf(table, 1, "efficiency"), 4, 0.01) << "beside full SFT at its fixed rate";
  EXPECT_NEAR(MeanOf(table, 1, "from_base_efficiency"), 0, 0.01);
  runs.resize(10);
  EXPECT_TRUE(TableOf(WithLines(runs), "papers_protocol").rows.empty()) << "nothing beside full SFT";
}

TEST(StudyTables, SayWhenNothingIsAnswered) {
  std::vector<StudyRun> runs = WithFull();
  EXPECT_TRUE(TableOf(WithLines(runs), "answers").name.empty()) << "not measured";
  for (StudyRun& run : runs) run.answered = 0.0;
  const ReportTable none = TableOf(WithLines(runs), "answers");
  EXPECT_TRUE(none.rows.empty());
  EXPECT_EQ(none.note, "It is zero everywhere: no arm with any seed answers one of the problems.");
  runs[2].answered = 0.05;
  const ReportTable some = TableOf(WithLines(runs), "answers");
  EXPECT_NEAR(MeanOf(some, 0, "answered"), 0.01, 1e-12);
  EXPECT_TRUE(some.note.empty());
}

TEST(StudyTables, PutFewSamplesBesideFreshBatches) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.5, 0.01));
  Arm few = AmplitudeArm(kExact, 8, ct::BasisKind::kUniversal, 500);
  few.samples = 64;
  few.name += ", 64 samples";
  Plant(runs, few, 4, 4, Around(3, 0.01));
  for (size_t i = 10; i < 15; ++i) runs[i].train_loss = runs[i].end_loss - 1.5;
  Plant(runs, AmplitudeArm(kExact, 8, ct::BasisKind::kUniversal, 5), 4, 4, Around(3.9, 0.01));
  const ReportTable table = TableOf(WithLines(runs), "few_samples");
  ASSERT_EQ(NamesOf(table), (Words{"exact K=8, 500 steps, 64 samples", "exact K=8"}));
  EXPECT_NEAR(MeanOf(table, 0, "held_out_less_train"), 1.5, 1e-9);
  EXPECT_NEAR(MeanOf(table, 0, "train_loss"), 1.5, 1e-9);
  EXPECT_NEAR(MeanOf(table, 1, "held_out_less_train"), 0.1, 1e-9);
  EXPECT_EQ(CellOf(table, 1, "samples").text, "fresh");
}

TEST(StudyTables, PutAnArmBesideTheOneWhoseNormItHas) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.5, 0.01));
  Arm lora = LowRankArm("lora", 8);
  lora.norm_of = "exact K=8";
  lora.name += " at its norm";
  Plant(runs, lora, 4, 4, Around(2.7, 0.01));
  for (size_t i = 5; i < 15; ++i) runs[i].change_relative = i < 10 ? 0.2 : 0.21;
  const ReportTable table = TableOf(WithLines(runs), "equal_norm");
  ASSERT_EQ(NamesOf(table), Words{"lora r=8 at its norm (of exact K=8)"});
  EXPECT_NEAR(MeanOf(table, 0, "change_relative"), 0.21, 1e-12);
  EXPECT_NEAR(MeanOf(table, 0, "change_relative_of_other"), 0.2, 1e-12);
  EXPECT_NEAR(MeanOf(table, 0, "end_loss_less_other"), 0.2, 1e-9);
  EXPECT_EQ(table.rows[0].lines, (std::vector<Index>{11, 12, 13, 14, 15, 6, 7, 8, 9, 10}));
}

// 10 s without freezing; with it 8 s for all steps, to a higher loss.
TEST(StudyTables, ShowWhatFreezingSaves) {
  std::vector<StudyRun> runs = WithFull();
  Arm frozen = AmplitudeArm(kExact, 8);
  Plant(runs, frozen, 4, 4, Around(2.5, 0.01));
  frozen.name += ", freeze layers";
  frozen.freeze = "layers";
  Plant(runs, frozen, 4, 4, Around(2.6, 0.01));
  for (size_t i = 5; i < 15; ++i) runs[i].held_out = {{50, runs[i].end_loss, i < 10 ? 10.0 : 8.0}};
  const ReportTable table = TableOf(WithLines(runs), "freezing");
  ASSERT_EQ(NamesOf(table), Words{"exact K=8, freeze layers"});
  EXPECT_NEAR(MeanOf(table, 0, "train_time"), 8, 1e-12);
  EXPECT_NEAR(MeanOf(table, 0, "speed_up_of_all_steps"), 1.25, 1e-12);
  EXPECT_NEAR(MeanOf(table, 0, "speed_up_to_loss"), 1.25, 1e-12) << "never there: all steps";
  EXPECT_EQ(CellOf(table, 0, "never_reach").text, "5");
  EXPECT_NEAR(MeanOf(table, 0, "end_loss_less_unfrozen"), 0.1, 1e-9);
  EXPECT_NE(table.note.find("at most 1.2 times"), std::string::npos);
}

// The curve keeps what earlier columns had: efficiency, phase, and what a row lacks.
TEST(StudyTables, KeepTheSeedsOfAPoint) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kExact, 4), 4, 4, Around(2.5, 0.01), 2000);
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, {2.4, NAN, 2.4, 2.41}, 4000);
  const StudyInput study = WithLines(runs);
  const ReportTable curve = TableOf(study, "curve_exact"), returns = TableOf(study, "returns_exact");
  EXPECT_EQ(curve.rows.at(1).notes, Words{"3 seeds, 1 diverged, 1 missing"});
  EXPECT_EQ(CellOf(curve, 0, "phase").text, "above 0");
  EXPECT_EQ(CellOf(curve, 0, "numbers_per_point").text, "27") << "2000 over 75 points";
  EXPECT_EQ(returns.rows.at(0).name, "4 to 8");
  EXPECT_EQ(returns.rows[0].lines.size(), 9u);
}

TEST(ScaleTable, HasTheLastOverTheFirst) {
  std::vector<StudyRun> runs = WithFull();
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 8, Around(2.2, 0.002), 4000);
  StudyInput narrow = WithLines(runs, 64), wide = WithLines(runs, 256);
  narrow.analysis = {
      {"layers", {1, 2, 3}}, {"weight_pr", {{"value", 20}}}, {"by_k", {{"8", {{"matrices", {{"a", 1}}}}}}}};
  const ReportTable table = ScaleTable({wide, narrow});
  EXPECT_EQ(CellOf(table, 0, "study_1").text, "64") << "by width, not in the order given";
  EXPECT_EQ(MeanOf(table, 0, "ratio"), 4);
  EXPECT_EQ(CellOf(table, 1, "study_1").text, "3");
  EXPECT_EQ(CellOf(table, 1, "ratio").text, "–") << "one has no analysis";
  EXPECT_EQ(CellOf(table, 3, "study_1").text, "1");
  EXPECT_EQ(CellOf(table, 0, "s76_ratio").text, "8 ×");
  EXPECT_EQ(ScaleTable({narrow}).columns.size(), 5u) << "one study has no ratio";
}

TEST(ArmRows, StandByPlanAndNotInTheOrderOfTheFile) {
  std::vector<StudyRun> runs;
  const auto plant = [&](Arm arm, const std::string& group, const std::string& name = "") {
    if (!name.empty()) arm.name = name;
    arm.groups = {group};
    if (group == "bases") arm.groups.push_back("frontier");
    Plant(runs, arm, 4, 4, {2});
  };
  Arm mean = AmplitudeArm(kRebuilt, 0);
  mean.kind = ArmKind::kMeanRow;
  plant(LowRankArm("lora", 32), "peers");
  plant(mean, "frontier", "mean row");
  plant(AmplitudeArm(kExact, 16), "bases");
  plant(AmplitudeArm(kExact, 8), "frontier");
  plant(LowRankArm("lora", 8), "peers");
  plant(AmplitudeArm(kExact, 8, ct::BasisKind::kRandom), "unheard of");
  plant(AmplitudeArm(kRebuilt, 8), "frontier");
  plant(FullArm(), "frontier");
  const StudyInput study = WithLines(runs);
  Words names;
  for (const ArmRow& row : ArmRows(study)) names.push_back(row.arm->name);
  EXPECT_EQ(names, (Words{"full", "reconstructed K=8", "exact K=8", "exact K=16", "mean row", "lora r=8", "lora r=32",
                          "exact K=8 random"}));
  EXPECT_EQ(PlanOf(*ArmRows(study).back().arm), "other");
}

TEST(LossText, LeavesOutASpreadOfRounding) {
  Interval interval;
  interval.mean = 2.5;
  interval.low = 2.5 - 4e-5;
  interval.high = 2.5 + 4e-5;
  EXPECT_EQ(LossText(interval), "2.5000");
  interval.high = 2.5 + 8e-5;
  EXPECT_EQ(LossText(interval), "2.5000 ±0.0001");
  interval = {};
  EXPECT_EQ(LossText(interval), "–");
  interval.diverged = 1;
  EXPECT_EQ(LossText(interval), "diverged");
}

TEST(TableText, HasNotesAndNamesWhatItShows) {
  const ReportTable table = {.name = "a",
                             .heading = "heading",
                             .columns = {{"k", {"K"}}, {"x", {"x", true}}},
                             .rows = {{"8", {{"1 <2", {}}}, {}, {"4 seeds"}}},
                             .note = "What it is."};
  EXPECT_EQ(TableText(table), "heading\nK     x\n8  1 <2\n      4 seeds\n  What it is.\n\n");
  const std::string html = TableHtml(table);
  EXPECT_NE(html.find("<td class=\"number\">1 &lt;2<br><small>4 seeds</small></td>"), std::string::npos) << html;
  EXPECT_NE(html.find("<p class=\"said\">What it is.</p>"), std::string::npos);
}

}  // namespace
}  // namespace ampgrad::train
