#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/command_line.h"
#include "train/study/study_file.h"

/// A study on the command line.
namespace ampgrad::train {
namespace {

class CommandStudy : public CommandLine {
 protected:
  Words Study(const Words& more) const {
    return Join({"study", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--out", Path("out"), "--batch", "2",
                 "--length", "32", "--eval-tokens", "64"},
                more);
  }
  std::vector<StudyRun> Runs() const { return StudyFile(Path("out")).runs(); }
};

TEST_F(CommandStudy, RunsThePlanOfAFile) {
  Put(Path("plan.json"), R"([{"method":"full","fixed_lr":1e-3},{"method":"lora","rank":2,"steps":3,"fixed_lr":1e-3}])");
  const Words study = Study({"--plan", Path("plan.json"), "--steps", "2", "--seeds", "2"});
  ExpectRuns(study);
  ASSERT_EQ(Runs().size(), 4u);
  EXPECT_EQ(Runs()[3].arm.name, "lora r=2");
  EXPECT_EQ(Runs()[3].curve.size(), 3u);
  EXPECT_EQ(Runs()[0].curve.size(), 2u);
  // A plan chooses arms, so another one goes on in the same directory; an arm that has changed does not.
  Put(Path("other.json"), R"([{"method":"full","fixed_lr":1e-3},{"method":"norms","fixed_lr":1e-3}])");
  ExpectRuns(Study({"--plan", Path("other.json"), "--steps", "2", "--seeds", "2"}));
  EXPECT_EQ(Runs().size(), 6u);
  Put(Path("other.json"), R"([{"method":"full","fixed_lr":1e-2}])");
  ExpectFails(1, Study({"--plan", Path("other.json"), "--steps", "2", "--seeds", "2"}),
              Path("out/runs.jsonl") + ":2: expected the arm 'full' of the plan, whose fixed_lr is 0.01, found 0.001");
}

TEST_F(CommandStudy, NamesAPlanThatIsNone) {
  ExpectFails(2, Study({"--plan", "odd"}),
              "expected --plan to be one of frontier, bases, peers, scope, starts, length, rates, freezing, all, found "
              "'odd'");
  ExpectFails(1, Study({"--plan", Path("none.json")}), Path("none.json") + ": ");
  Put(Path("plan.json"), R"([{"method":"amplitude","k":33}])");
  ExpectFails(1, Study({"--plan", Path("plan.json")}),
              Path("plan.json") + ": expected [0].k to be 1..32, the model's width, found 33");
}

TEST_F(CommandStudy, FollowsAPaper) {
  const Result result = ExpectRuns(Study({"--protocol", "s76", "--fixed-rates"}));
  EXPECT_NE(result.out.find("what s76 leaves open, and what is chosen here:\n  P1   "), std::string::npos)
      << result.out;
  ASSERT_EQ(Runs().size(), 5u);  // full without and with the head, K = 8, 16, 32; one seed
  for (const StudyRun& run : Runs()) {
    EXPECT_EQ(run.curve.size(), 5u);
    EXPECT_TRUE(run.rate.tried.empty());
    EXPECT_EQ(run.rate.lr, run.arm.method.method == "full" ? 1e-5 : 5e-4) << run.arm.name;
  }
  const auto settings = nlohmann::json::parse(Get(Path("out/study.json"))).at("settings");
  EXPECT_EQ(settings.at("steps"), 5);
  EXPECT_EQ(settings.at("sample"), 52);
  fs::remove_all(Path("out"));
  const Result s62 = ExpectRuns(Study({"--protocol", "s62", "--dry-run"}));
  EXPECT_NE(s62.out.find("full, output projection              50 steps,  5 of 5 runs to do  (s62)"), s62.out.npos)
      << s62.out;
}

TEST_F(CommandStudy, QuickShowsTheBuiltInWorldOnAPage) {
  const Words quick = {"study", "--quick", "--out", Path("out"), "--plan", "starts", "--steps", "2"};
  const Result result = ExpectRuns(quick);
  EXPECT_NE(result.out.find("the page of these runs is " + Path("out/report.html") + "; a first look"),
            result.out.npos);
  EXPECT_TRUE(Get(Path("out/report.html")).starts_with("<!DOCTYPE html>"));
  ASSERT_EQ(Runs().size(), 4u);
  for (const StudyRun& run : Runs()) {
    EXPECT_EQ(run.rate.lr, run.arm.method.method == "full" ? 3e-4 : 1e-2) << run.arm.name;  // the methods' own
    EXPECT_TRUE(run.rate.tried.empty());
  }
  EXPECT_EQ(nlohmann::json::parse(Get(Path("out/study.json"))).at("settings").at("quick"), true);
  // Again: everything is there.
  const std::string lines = Get(Path("out/runs.jsonl")), model = Get(Path("out/model/model.safetensors"));
  ExpectRuns(quick);
  EXPECT_EQ(Get(Path("out/runs.jsonl")), lines);
  EXPECT_TRUE(Get(Path("out/model/model.safetensors")) == model);
  // The same from what was written, by name.
  ExpectRuns({"study", "--quick", "--out", Path("again"), "--plan", "starts", "--steps", "2", "--model",
              Path("out/model"), "--data", Path("out/questions.jsonl")});
  EXPECT_EQ(StudyFile(Path("again")).runs().at(3).bits, Runs()[3].bits);
}

TEST_F(CommandStudy, NeedsAModelAndDataUnlessItIsQuick) {
  ExpectFails(2, {"study", "--out", Path("out"), "--data", Path("pairs.jsonl")}, "--model is missing");
  ExpectFails(2, {"study", "--out", Path("out"), "--model", Path("base"), "--quick"}, "--data is missing");
}

// The runs of a sweep are those of a study.
TEST_F(CommandStudy, KeepsTheRunsOfASweep) {
  const Words sweep = {"sweep",    "--model", Path("base"), "--data", Path("pairs.jsonl"), "--steps", "2",
                       "--batch",  "2",       "--full-lr",  "1e-3",   "--amplitude-lr",    "1e-2",    "--out",
                       Path("out")};
  const Result first = ExpectRuns(Join(sweep, {"--k", "2"}));
  ASSERT_EQ(Runs().size(), 3u);
  for (const StudyRun& run : Runs()) EXPECT_EQ(run.curve.size(), 2u);
  EXPECT_EQ(ExpectRuns(Join(sweep, {"--k", "2"})).out, first.out);
  EXPECT_EQ(Runs().size(), 3u);
  ExpectRuns({"report", "--study", Path("out")});
  ExpectFails(1, Join(sweep, {"--k", "2", "--eval-tokens", "64"}),
              Path("out/study.json") + ": expected the study's own eval-tokens, 65536, found 64");
}

TEST_F(CommandStudy, RefusesOptionsThatExcludeEachOther) {
  ExpectFails(2, Study({"--protocol", "s76", "--plan", "bases"}), "--protocol and --plan: expected one of them");
  ExpectFails(2, Study({"--protocol", "s76", "--layers", "last:1"}),
              "--protocol s76 has a scope of its own: expected no --layers beside it");
  ExpectFails(2, Study({"--protocol", "s1"}), "expected --protocol to be one of s62, s72, s76, s78, found 's1'");
}

}  // namespace
}  // namespace ampgrad::train
