#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"
#include "train/memory_plan.h"

/// `ampgrad plan` from end to end.
namespace ampgrad::train {
namespace {

class CommandPlan : public CommandLine {
 protected:
  Words Plan(const Words& more) const {
    return Join({"plan", "--model", Path("base"), "--batch", "1", "--length", "16"}, more);
  }
};

// What stands between the bars of the line that begins with `method` and has so many ranks.
std::vector<std::string> Row(const std::string& out, const std::string& method, const std::string& ranks) {
  for (const std::string& line : Lines(out)) {
    std::vector<std::string> cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, '|');) {
      const size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
      if (begin != std::string::npos) cells.push_back(cell.substr(begin, end - begin + 1));
    }
    if (cells.size() == 8 && cells[0] == method && cells[2] == ranks) return cells;
  }
  return std::vector<std::string>(8);
}

// Nano has 768 rows in eight matrices: 8 bytes for each of 768·K scores, for each matrix, for two figures of each
// shard, and for a signal. At ten times the rate, without latency, a sum takes a tenth of the time.
TEST_F(CommandPlan, CountsBytesAndDividesThemByTheRate) {
  const Result slow = ExpectRuns(Plan({"--ranks", "2,3", "--k", "8", "--network", "100mbit", "--latency", "0"}));
  EXPECT_EQ(Row(slow.out, "exact K=8", "2")[1], "6144");
  EXPECT_EQ(Row(slow.out, "exact K=8", "2")[3], std::to_string(8 * (6144 + 8 + 4 + 1)));
  EXPECT_EQ(Row(slow.out, "exact K=8", "3")[3], std::to_string(8 * (6144 + 8 + 6 + 1)));
  const double seconds = 8.0 * 8 * (6144 + 8 + 4 + 1) / (1e8 * 1448 / 1538);
  EXPECT_NEAR(std::stod(Row(slow.out, "exact K=8", "2")[5]), seconds, 5.1e-5);  // four decimals
  const Result fast = ExpectRuns(Plan({"--ranks", "2", "--k", "8", "--network", "1gbit", "--latency", "0"}));
  EXPECT_NEAR(std::stod(Row(fast.out, "exact K=8", "2")[5]), seconds / 10, 5.1e-5);
  EXPECT_NE(Row(fast.out, "lora r=8", "2")[3], "");
  EXPECT_NE(Row(fast.out, "full", "2")[3], "");
}

// The line that begins with `words`, or the one after it.
std::string LineOf(const std::string& out, const std::string& words, size_t after = 0) {
  const std::vector<std::string> lines = Lines(out);
  for (size_t i = 0; i + after < lines.size(); ++i) {
    if (lines[i].starts_with(words)) return lines[i + after];
  }
  return "";
}

// A fine-tuning run of the same settings says what it will take before its first step.
TEST_F(CommandPlan, SaysOfMemoryWhatTheRunItselfSays) {
  const Words settings = {"--k", "8", "--layers", "last:1", "--threads", "1"};
  const Result plan = ExpectRuns(Plan(Join({"--method", "amplitude,norms"}, settings)));
  EXPECT_EQ(plan.out.find('|'), std::string::npos) << "a table of ranks that nobody asked for: " << plan.out;
  for (const std::string method : {"amplitude", "norms"}) {
    const Result run =
        ExpectRuns(Join({"sft", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--out", Path(method),
                         "--batch", "1", "--length", "16", "--steps", "1", "--method", method},
                        settings));
    const std::string label = method == "norms" ? "norms: " : "exact K=8: ";
    EXPECT_EQ(LineOf(plan.out, label), LineOf(run.out, label));
    EXPECT_EQ(LineOf(plan.out, label, 1), LineOf(run.out, "memory: "));
  }
}

TEST_F(CommandPlan, NeedsNoWeights) {
  const Result plan = ExpectRuns({"plan", "--preset", "gpt2", "--weights", "q8_0", "--method", "amplitude", "--k", "8",
                                  "--layers", "last:1", "--length", "8"});
  // 768·(768·3 + 768 + 2·3072) numbers in each of 12 blocks and 50257·768 of the vocabulary, 34 bytes for 32 of them;
  // 1024·768 positions too.
  const double bytes = (12.0 * 768 * (4 * 768 + 2 * 3072) + (50257.0 + 1024) * 768) * 34 / 32;
  EXPECT_NE(plan.out.find("beside " + Megabytes(static_cast<Index>(bytes)) + " mapped from files"), std::string::npos)
      << plan.out;
  EXPECT_NE(plan.out.find("exact K=8: 73728 parameters are trained"), std::string::npos) << plan.out;  // 9216 rows
  ExpectFails(2, {"plan", "--preset", "gpt2", "--model", Path("base")}, "expected one of --model and --preset");
  ExpectFails(2, {"plan", "--model", Path("base"), "--weights", "q8_0"},
              "--weights goes with --preset: a model has weights of its own");
  ExpectFails(2, {"plan", "--preset", "gpt2", "--method", "magic"},
              "expected --method to hold names of methods, found 'magic'");
}

TEST_F(CommandPlan, SaysThatFullFineTuningWidensBlocks) {
  const Result plan = ExpectRuns({"plan", "--preset", "gpt2", "--weights", "q8_0", "--method", "full,norms", "--layers",
                                  "last:1", "--length", "8"});
  // 768·(3·768 + 768 + 2·3072), which is all that trains
  EXPECT_NE(plan.out.find("full: 7077888 parameters are trained, 7077888 of them widened from blocks\n"),
            std::string::npos)
      << plan.out;
  EXPECT_NE(plan.out.find("norms: 9984 parameters are trained\n"), std::string::npos) << plan.out;
}

TEST_F(CommandPlan, DoesNotTryWhatCannotFit) {
  const Result plan = ExpectRuns({"plan", "--preset", "llama-70b", "--weights", "q4_0", "--method", "full"});
  constexpr Index kParameters = 68'976'648'192;  // floats, each with its gradient and two moments
  EXPECT_EQ(plan.out, "full: needs " + Megabytes(4 * 4 * kParameters) +
                          " for what it trains alone, more than this machine has to try it\n");
}

TEST_F(CommandPlan, NetworksHaveNames) {
  ExpectFails(2, Plan({"--network", "2gbit"}), "expected --network to be one of 100mbit, 1gbit, 10gbit, found '2gbit'");
}

}  // namespace
}  // namespace ampgrad::train
