#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"
#include "tests/train/study/planted_study.h"
#include "train/claims/report/report_data.h"
#include "train/claims/report/report_rows.h"
#include "train/claims/report/report_text.h"
#include "train/report/columns.h"
#include "train/study/study_file.h"

namespace ampgrad::train {
namespace {

// A small study: at exact K = 16 a run diverged and another is missing.
std::vector<StudyRun> Runs() {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, Around(2, 0.01), 64000);
  Plant(runs, AmplitudeArm(kExact, 8), 4, 4, Around(2.5, 0.01, 1), 4000);
  Plant(runs, AmplitudeArm(kExact, 16), 4, 4, {2.4, 2.41, NAN, 2.39}, 8000);
  Plant(runs, AmplitudeArm(kRebuilt, 8), 4, 9, Around(3.5, 0.01, 2), 4000);
  Arm mean = AmplitudeArm(kRebuilt, 0);
  mean.name = "mean row alone";
  mean.kind = ArmKind::kMeanRow;
  Plant(runs, mean, 4, 12, {12}, 0);
  return runs;
}

// Such a study on disk, with a search and a gradient capture between its runs.
void Write(const TempDir& dir) {
  StudyFile file(dir.path());
  file.AddTried("full", 1e-3, 2.5);
  file.AddCapture(1, {{8, 0.5}});
  for (const StudyRun& run : Runs()) file.AddRun(run);
  std::ofstream(dir.path() / "study.json") << "{\"width\": 256, \"settings\": {\"steps\": 50}}\n";
}

std::string ReportOf(const StudyInput& study) { return FormatReport({study}, JudgeClaims({study})); }

// The line that begins with `name`, and the one after it.
std::pair<std::string, std::string> LinesAt(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line, next; std::getline(lines, line);) {
    if (line.starts_with(name + " ") && std::getline(lines, next)) return {line, next};
  }
  return {};
}

TEST(FormatReport, ShowsEachArmWithItsInterval) {
  const TempDir dir;
  Write(dir);
  const std::string text = ReportOf(ReadStudy(dir.path(), 0));
  // Steps of ±0.01 in five: s/√n = 0.01·√(2.5/4)/√5, times 2.776.
  EXPECT_NE(LinesAt(text, "full").first.find("2.0000 ±0.0098"), std::string::npos) << text;
  const auto [row, below] = LinesAt(text, "exact K=16");
  EXPECT_NE(row.find("2.4000"), std::string::npos) << row;
  EXPECT_EQ(below, "      3 seeds, 1 diverged, 1 missing");
  EXPECT_EQ(LinesAt(text, "exact K=8").second, row);
  EXPECT_NE(text.find("\"steps\": 50"), std::string::npos);
  EXPECT_NE(text.find("d = 256"), std::string::npos);
}

TEST(FormatReport, FitsATerminal) {
  const TempDir dir;
  Write(dir);
  std::istringstream lines(ReportOf(ReadStudy(dir.path(), 0)));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(report::Width(line), report::kColumns) << line;
}

TEST(FormatReport, SaysWhyARatioIsNotPrinted) {
  std::vector<StudyRun> runs;
  Plant(runs, FullArm(), 4, 4, {3.75, 4.25, 3.875, 4.125, 4});
  StudyInput study;
  study.name = "flat";
  study.runs = StudyRuns(runs);
  study.lines = {1, 2, 3, 4, 5};
  EXPECT_TRUE(
      LinesAt(ReportOf(study), "full").second.starts_with("      efficiency: its denominator may be zero: 0 (-0.2"));
}

TEST(ReadStudy, KnowsTheLinesOfItsRuns) {
  const TempDir dir;
  Write(dir);
  const StudyInput study = ReadStudy(dir.path(), 0);
  EXPECT_EQ(study.LinesOf("full"), (std::vector<Index>{3, 4, 5, 6, 7}));
  EXPECT_EQ(study.LinesOf("mean row alone"), (std::vector<Index>{22}));
  EXPECT_EQ(study.width, 256);
  EXPECT_EQ(ReadStudy(dir.path(), 64).width, 64);
  EXPECT_EQ(study.Capture(8).missing.size(), 4u);
}

TEST(ReadStudy, NamesWhatIsNotThere) {
  const TempDir dir;
  ExpectMessage<std::runtime_error>(
      [&] { ReadStudy(dir.path(), 0); },
      (dir.path() / "runs.jsonl").string() + ": expected the runs of a study, found no such file");
}

// What an arm's mean is made of can be found in the file, by the lines that stand beside it.
TEST(ReportJson, EveryFigureIsThatOfItsLines) {
  const TempDir dir;
  Write(dir);
  const StudyInput study = ReadStudy(dir.path(), 0);
  const std::vector<Finding> findings = JudgeClaims({study});
  const auto json = ReportJson({study}, findings);
  std::vector<nlohmann::json> lines;
  std::ifstream file(dir.path() / "runs.jsonl");
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  int compared = 0;
  for (const auto& arm : json["studies"][0]["arms"]) {
    double sum = 0, count = 0;
    for (const size_t number : arm["lines"]) {
      const nlohmann::json& line = lines.at(number - 1);
      EXPECT_EQ(line["arm"]["name"], arm["name"]);
      if (!line["diverged"].is_null()) continue;
      sum += line["end_loss"].get<double>();
      ++count;
    }
    EXPECT_NEAR(arm["end_loss"]["mean"].get<double>(), sum / count, 1e-12);
    ++compared;
  }
  EXPECT_EQ(compared, 5);
  for (const auto& claim : json["claims"]) {
    const bool judged = claim["verdict"] != "not testable here";
    EXPECT_EQ(claim["lines"].empty(), !judged) << claim;
  }
}

TEST(ReportCsv, HasALineForEachFigure) {
  const TempDir dir;
  Write(dir);
  const StudyInput study = ReadStudy(dir.path(), 0);
  const std::string csv = ReportCsv({study}, JudgeClaims({study}));
  std::istringstream lines(csv);
  std::string head, line;
  std::getline(lines, head);
  EXPECT_EQ(head, "study,table,name,figure,verdict,mean,low,high,seeds,missing,diverged,lines");
  bool found = false;
  while (std::getline(lines, line)) {
    found = found || line.find("\"exact K=16\",\"end_loss\",,2.4,") != std::string::npos;
    if (line.find("\"exact K=16\",\"end_loss\"") == std::string::npos) continue;
    EXPECT_TRUE(line.ends_with(",3,1,1,13 14 15 16")) << line;
  }
  EXPECT_TRUE(found);
}

TEST(PhaseOf, IsByTheInterval) {
  const auto phase = [](double low, double high) {
    Interval interval;
    interval.low = low;
    interval.high = high;
    return std::string(PhaseOf(interval));
  };
  EXPECT_EQ(phase(-0.2, -0.1), "destructive");
  EXPECT_EQ(phase(-0.2, 0), "breakeven");
  EXPECT_EQ(phase(0, 0.1), "breakeven");
  EXPECT_EQ(phase(0.1, 1.1), "above 0");
  EXPECT_EQ(phase(1.01, 1.1), "above full");
  EXPECT_STREQ(PhaseOf({}), "–");
}

}  // namespace
}  // namespace ampgrad::train
