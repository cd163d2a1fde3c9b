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
              "expected --plan to be one of frontier, bases, peers, scope, starts, length, rates, freezing, all, found 'odd'");
  ExpectFails(1, Study({"--plan", Path("none.json")}), Path("none.json") + ": ");
  Put(Path("plan.json"), R"([{"method":"amplitude","k":33}])");
  ExpectFails(1, Study({"--plan", Path("plan.json")}),
              Path("plan.json") + ": expected [0].k to be 1..32, the model's width, found 33");
}

}  // namespace
}  // namespace ampgrad::train
