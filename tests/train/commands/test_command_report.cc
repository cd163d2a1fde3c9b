#include <gtest/gtest.h>

#include <string>

#include "tests/support/command_line.h"
#include "tests/support/files.h"
#include "tests/train/study/planted_study.h"
#include "train/study/study_file.h"

/// A report on the command line.
namespace ampgrad::train {
namespace {

class CommandReport : public CommandLine {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b"}) {
      fs::create_directory(Path(name));
      std::vector<StudyRun> runs;
      Plant(runs, FullArm(), 4, 4, Around(2, 0.01));
      Plant(runs, AmplitudeArm(ct::Start::kReconstructed, 8), 4, 8, Around(2.1, 0.01, 2));
      StudyFile file(Path(name));
      for (const StudyRun& run : runs) file.AddRun(run);
    }
  }
};

TEST_F(CommandReport, PrintsVerdictsAndWritesFiles) {
  const Result result =
      ExpectRuns({"report", "--study", Path("a"), "--csv", Path("r.csv"), "--json", Path("a/r.json")});
  EXPECT_NE(result.out.find("C1: amplitude-only reaches"), std::string::npos);
  EXPECT_NE(result.out.find("holds: from-base efficiency, reconstructed K = 8"), std::string::npos) << result.out;
  EXPECT_TRUE(fs::exists(Path("r.csv")) && fs::exists(Path("a/r.json")));
  ExpectRuns({"report", "--study", Path("a"), "--json", Path("a/r.json")});  // again, in the study's own directory
}

TEST_F(CommandReport, DrawsEachFigureIntoADirectory) {
  ExpectRuns({"report", "--study", Path("a"), "--svg", Path("figures"), "--html", Path("page.html")});
  EXPECT_TRUE(Get(Path("figures/k_curve_reconstructed.svg")).starts_with("<svg xmlns="));
  EXPECT_TRUE(Get(Path("page.html")).starts_with("<!DOCTYPE html>"));
}

TEST_F(CommandReport, TakesSeveralStudies) {
  const Result result = ExpectRuns({"report", "--study", Path("a") + "," + Path("b"), "--width", "64,256"});
  EXPECT_NE(result.out.find("Scale, as S76 compares it"), std::string::npos);
  EXPECT_NE(result.out.find("[" + Path("b") + "]"), std::string::npos) << result.out;
  EXPECT_EQ(ExpectRuns({"report", Path("a"), "--width", "64,256", Path("b")}).out, result.out);
}

TEST_F(CommandReport, RefusesWhatItCannotRead) {
  ExpectFails(2, {"report"}, "--study is missing");
  ExpectFails(2, {"report", Path("a"), "--study", Path("b")}, "--study stands twice");
  ExpectFails(2, {"report", "--study", Path("a") + "," + Path("a")}, "expected --study to name each directory once");
  ExpectFails(2, {"report", "--study", Path("a"), "--width", "64,128"}, "one width for each of 1 studies, found 2");
  ExpectFails(1, {"report", "--study", Path("none")}, "none/runs.jsonl: expected the runs of a study");
  ExpectFails(1, {"report", "--study", Path("a"), "--json", Path("a/runs.jsonl")}, "is an input, of --study");
}

}  // namespace
}  // namespace ampgrad::train
