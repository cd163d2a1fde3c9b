#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/texts.h"
#include "tests/train/study/planted_study.h"
#include "train/claims/report/report_figures.h"
#include "train/claims/report/report_page.h"

namespace ampgrad::train {
namespace {

StudyInput PagedStudy() {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, Around(2, 0.01), 64000);
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.5, 0.01, 1), 4000);
  Plant(runs, AmplitudeArm(kExact, 16), 4, 4, Around(2.6, 0.01, 1), 8000);
  Plant(runs, AmplitudeArm(kExact, 32), 4, 4, {2.1, NAN, 2.1, 2.1, 2.1}, 16000);
  StudyInput study;
  study.name = "a<b>";
  study.runs = StudyRuns(runs);
  for (Index line = 1; line <= 20; ++line) study.lines.push_back(line);
  study.width = 256;
  return study;
}

// Dominated is K = 16, which trains more than K = 8 and ends higher; K = 32 diverged in part and has no point.
TEST(ParetoFigure, HoldsWhatIsNotBeaten) {
  const StudyInput study = PagedStudy();
  const std::vector<ArmRow> rows = ArmRows(study);
  const ReportFigure figure = ParetoFigure(rows, Metrics()[0], Metrics()[1]);
  EXPECT_EQ(Occurrences(figure.svg, "<circle class=\"complex\""), 2u);
  EXPECT_EQ(Occurrences(figure.svg, "<circle class=\"chance\""), 1u);
  EXPECT_EQ(figure.svg.find("K=32"), std::string::npos);
}

// Each metric over each other one; the reader's script shows the chart that is chosen.
TEST(ParetoChoice, HasEachPairAndShowsTheFirst) {
  StudyInput study = PagedStudy();
  const std::string html = ParetoChoice(study, "p");
  // The planted changes are 0, of which there is no logarithm, and there are no answers.
  for (const char* pair : {"p-0-1", "p-1-0", "p-0-2", "p-2-0", "p-1-2", "p-0-3"}) {
    EXPECT_EQ(Occurrences(html, std::string("<div id=\"") + pair + "\""), 1u) << pair;
  }
  EXPECT_EQ(Occurrences(html, "<div id=\"p-0-1\">"), 1u) << "shown without a script";
  EXPECT_EQ(Occurrences(html, "<div id="), Occurrences(html, "\" hidden>\n<figure>") + 1) << "all others are hidden";
  EXPECT_EQ(Occurrences(html, "<div id=\"p-1-1\""), 0u);
  EXPECT_EQ(Occurrences(html, "‖ΔW‖/‖W‖"), 0u);
  EXPECT_EQ(Occurrences(html, "<option value=\"0\" selected>"), 1u);
  EXPECT_EQ(Occurrences(html, "<option value=\"1\" selected>"), 1u);
  EXPECT_NE(html.find("which has full; exact K=8."), std::string::npos);
}

TEST(EqualRows, HadTheSameChance) {
  std::vector<StudyRun> runs = PagedStudy().runs.runs();
  const auto plant = [&](Arm arm, const char* name) {
    arm.name = name;
    Plant(runs, arm, 4, 4, {2, 2, 2, 2, 2});
  };
  Arm arm = AmplitudeArm(kExact, 4);
  plant(arm, "equal");
  arm.freeze = "pr";
  plant(arm, "frozen");
  arm = AmplitudeArm(kExact, 4);
  arm.samples = 64;
  plant(arm, "few");
  arm.samples = 0;
  arm.norm_of = "full";
  plant(arm, "norm");
  arm.norm_of = "";
  arm.fixed_lr = 1;
  plant(arm, "rate");
  arm.fixed_lr = 0;
  arm.steps = 5;
  plant(arm, "length");
  StudyInput study = PagedStudy();
  study.runs = StudyRuns(runs);
  study.lines.resize(runs.size(), 1);
  std::vector<std::string> names;
  for (const ArmRow& row : EqualRows(study)) names.push_back(row.arm->name);
  EXPECT_EQ(names, (std::vector<std::string>{"full", "equal", "frozen", "exact K=8", "exact K=16", "exact K=32"}));
}

// At K = 32 seeds 1, 3, 4 and 5 gain 1.9 of 2.01, 2, 1.99 and 2.005: 94.94 % on average.
TEST(KCurveFigure, NamesTheSeedsOfEachPoint) {
  const ReportFigure figure = KCurveFigure(PagedStudy(), kExact);
  EXPECT_EQ(Occurrences(figure.svg, "<circle"), 6u);  // two efficiencies at three K
  EXPECT_NE(figure.svg.find("from base at 32: 94.94 "), std::string::npos) << figure.svg;
  EXPECT_EQ(Occurrences(figure.svg, "4 seeds, 1 diverged"), 2u);
  EXPECT_TRUE(KCurveFigure(PagedStudy(), ct::Start::kReconstructed).svg.empty());
}

TEST(StandaloneSvg, BringsItsStyle) {
  const std::string svg = StandaloneSvg(KCurveFigure(PagedStudy(), kExact));
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\"")) << svg.substr(0, 100);
  EXPECT_EQ(Occurrences(svg, "<style>"), 1u);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

TEST(ReportPage, HasEveryClaimAndTheLinesOfEveryArm) {
  const StudyInput study = PagedStudy();
  const std::string page = ReportPage({study}, JudgeClaims({study}), "ampgrad report");
  for (int claim = 1; claim <= kClaims; ++claim) {
    EXPECT_NE(page.find(">C" + std::to_string(claim) + ": "), std::string::npos) << claim;
  }
  EXPECT_NE(page.find("<td>16–20</td>"), std::string::npos);
  EXPECT_NE(page.find("a&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(page.find("a<b>"), std::string::npos);
  EXPECT_EQ(page.find(">nan<"), std::string::npos);  // a level has no rate
}

}  // namespace
}  // namespace ampgrad::train
