#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/command_line.h"

/// What does not fit into memory is refused before the work, with the numbers.
namespace ampgrad::train {
namespace {

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory is beyond any such limit

class CommandRefusesMemory : public CommandLine {
 protected:
  Result RunWithin(int megabytes, const Words& words) const {
    return RunShell("ulimit -v " + std::to_string(1024 * megabytes) + "; exec \"$0\" \"$@\" --threads 1", words);
  }

  // Expects one sentence with `part`, with two gigabytes of address space.
  void ExpectRefused(const Words& words, const std::string& part) const {
    SCOPED_TRACE(::testing::PrintToString(words));
    const std::set<std::string> before = FilesBelow(dir());
    const Result result = RunWithin(2048, words);
    EXPECT_EQ(result.code, 1);
    ASSERT_EQ(Sentences(result).size(), 1u) << result.err;
    EXPECT_NE(Sentences(result)[0].find(part), std::string::npos) << result.err;
    EXPECT_EQ(FilesBelow(dir()), before);
  }
};

TEST_F(CommandRefusesMemory, StepsThatAreTooLarge) {
  ExpectRefused(Pretrain("new", 1, {"--batch", "1048576"}), " more memory for --batch 1048576 --length 24, found ");
  const Words sweep = {"sweep", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--k", "2"};
  ExpectRefused(Join(sweep, {"--batch", "65536"}), " more memory for --batch 65536 --length ");
  ExpectRefused(Sft("new", 1, {"--batch", "65536", "--checkpoint"}), " more memory for --batch 65536 --length ");
}

#ifndef AMPGRAD_DOUBLE  // the program is the same
// The number of megabytes that stands before `end` in `text`.
double MegabytesBefore(const std::string& text, const std::string& end) {
  const size_t at = text.find(end);
  return at == text.npos ? 0 : std::stod(text.substr(text.rfind(' ', at - 1) + 1));
}

// A run that is refused says how much is missing. With that much more it is accepted, and a run that is accepted never
// meets a lack of memory: the plan and its gaps bound what the process takes, not its tensors alone.
TEST_F(CommandRefusesMemory, WhatIsAcceptedEnds) {
  ExpectRuns({"pretrain", "--preset", "photonic", "--text", Path("text.txt"), "--out", Path("wide"), "--steps", "1",
              "--batch", "1", "--length", "16"});
  const Words wide = {"sft",     "--model", Path("wide"), "--data", Path("pairs.jsonl"), "--out", Path("out"),
                      "--steps", "1",       "--batch",    "80"};
  const Words narrow = Sft("out", 1, {"--batch", "2000"});
  // With so many megabytes there is room for the parameters, and not for the step.
  const std::vector<std::pair<int, Words>> runs = {
      {290, Join(wide, {"--method", "full"})},
      {290, Join(wide, {"--method", "full", "--checkpoint"})},
      {220, Join(wide, {"--method", "full", "--layers", "last:2"})},
      {220, Join(wide, {"--k", "8"})},
      {220, Join(wide, {"--k", "8", "--checkpoint"})},
      {220, Join(wide, {"--k", "64", "--chain", "explicit"})},
      {220, Join(wide, {"--k", "64", "--chain", "explicit", "--checkpoint"})},
      {220, Join(wide, {"--start", "reconstructed"})},
      {220, Join(wide, {"--start", "reconstructed", "--checkpoint"})},
      {220, Join(narrow, {"--method", "full"})},
      {220, Join(narrow, {"--method", "full", "--checkpoint"})},
      {220, Join(narrow, {"--start", "reconstructed", "--chain", "explicit", "--checkpoint"})},
      {220, Pretrain("out", 1, {"--batch", "2000"})}};
  for (const auto& [little, words] : runs) {
    SCOPED_TRACE(::testing::PrintToString(words));
    const Result refused = RunWithin(little, words);
    ASSERT_EQ(refused.code, 1) << refused.out << refused.err;
    const double missing =
        MegabytesBefore(refused.err, " MB more memory") - MegabytesBefore(refused.err, " MB available");
    ASSERT_GT(missing, 0) << refused.err;
    const int enough = little + static_cast<int>(missing * 1e6 / (1 << 20)) + 2;
    for (const int spare : {0, 9}) {
      const Result accepted = RunWithin(enough + spare, words);
      ASSERT_EQ(accepted.code, 0) << enough + spare << " MB: " << accepted.out << accepted.err;
      fs::remove_all(Path("out"));
    }
  }
}

#endif

TEST_F(CommandRefusesMemory, AVocabularyThatIsTooLarge) {
  ExpectRefused(Pretrain("new", 1, {"--vocab", "16777216"}), "a vocabulary of 16777216 needs ");
}

#endif

}  // namespace
}  // namespace ampgrad::train
