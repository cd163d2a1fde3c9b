#include <gtest/gtest.h>

#include <string>

#include "tests/support/command_line.h"

/// What does not fit into memory is refused before the work, with the numbers.
namespace ampgrad::train {
namespace {

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory is beyond any such limit

class CommandRefusesMemory : public CommandLine {
 protected:
  // Expects one sentence with `part`, with two gigabytes of address space.
  void ExpectRefused(const Words& words, const std::string& part) const {
    SCOPED_TRACE(::testing::PrintToString(words));
    const std::set<std::string> before = FilesBelow(dir());
    const Result result = RunShell("ulimit -v 2097152; exec \"$0\" \"$@\" --threads 1", words);
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

TEST_F(CommandRefusesMemory, AVocabularyThatIsTooLarge) {
  ExpectRefused(Pretrain("new", 1, {"--vocab", "16777216"}), "a vocabulary of 16777216 needs ");
}

#endif

}  // namespace
}  // namespace ampgrad::train
