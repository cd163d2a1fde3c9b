#include <gtest/gtest.h>

#include <string>

#include "models/generate.h"
#include "models/model_directory.h"
#include "tests/support/command_line.h"
#include "tests/support/files.h"

/// `ampgrad chat`, through a pipe.
namespace ampgrad::train {
namespace {

class CommandConversation : public CommandLine {
 protected:
  Words Chat(const Words& more = {}) const {
    return Join({"chat", "--model", Path("base"), "--template", "zephyr", "--tokens", "5"}, more);
  }
  Result Say(const std::string& lines, const Words& words) const {
    Put(Path("lines"), lines);
    return RunShell("exec \"$0\" \"$@\" < '" + Path("lines") + "'", words);
  }
};

TEST_F(CommandConversation, EachLineIsATurn) {
  const Result one = Say("Hi\n", Chat()), reset = Say("Hi\n\n/reset\n  Hi  \n", Chat()), two = Say("Hi\nHi", Chat());
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(reset.out, one.out + one.out);
  EXPECT_EQ(two.out.rfind(one.out, 0), 0u) << two.out;
  EXPECT_EQ(Say("Hi\n/exit\nHi\n", Chat()).out, one.out);
  EXPECT_EQ(Say("", Chat()).out, "");
}

#ifndef AMPGRAD_DOUBLE  // the program is of float
TEST_F(CommandConversation, AnswersAsTheLibraryDoes) {
  const auto model = models::LoadModel(Path("base"));
  const models::Tokenizer tokenizer = models::LoadTokenizer(Path("base"), *model);
  models::GenerateOptions generate;
  generate.max_tokens = 5;
  generate.end_tokens = {0};
  std::vector<int> prompt = tokenizer.Encode("<|user|>\nHi");
  prompt.push_back(0);
  for (const int id : tokenizer.Encode("\n<|assistant|>\n")) prompt.push_back(id);
  const std::string answer = tokenizer.Decode(models::Generate(*model, prompt, generate), true);
  EXPECT_EQ(Say("Hi\n", Chat({"--raw"})).out, answer + "\n");
}
#endif

TEST_F(CommandConversation, SaysThatTurnsWereDropped) {
  const Result result = Say("Hi\nHi\nHi\n", Chat());
  EXPECT_EQ(result.code, 0);
  const std::string note = "ampgrad: note: the context was full: dropped the oldest 1 of the turns before this";
  EXPECT_EQ(Sentences(result), (Words{note, note})) << result.err;
}

TEST_F(CommandConversation, AMessageThatCannotBeSaidIsASentence) {
  const Result result = Say(std::string(70, 'x') + "\nHi\n", Chat());
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, Say("Hi\n", Chat()).out);
  EXPECT_EQ(result.err.rfind("ampgrad chat: expected a message that leaves room for an answer in the context of 64 "
                             "tokens, found one of 95 with all that goes with it\n",
                             0),
            0u)
      << result.err;
  EXPECT_EQ(Say("\xFF\n", Chat()).code, 1);
}

TEST_F(CommandConversation, NeedsATemplateWithRoles) {
  ExpectFails(1, {"chat", "--model", Path("base")}, "messages need --template zephyr, chatml or llama3");
  ExpectFails(1, {"chat", "--model", Path("base"), "--template", "plain"}, "the template plain has no roles");
}

// A model that is made up goes on as long as it may.
class CommandLongAnswer : public CommandConversation {
 protected:
  void SetUp() override {
    ExpectRuns({"synth", "--preset", "tiny", "--out", Path("tiny")});
    nlohmann::json config = nlohmann::json::parse(Get(Path("tiny/config.json")));
    config["max_position_embeddings"] = 50000;
    Put(Path("tiny/config.json"), config.dump());
  }
  /// The lines of `script`, with a program that gets SIGINT after so many seconds each.
  Result Interrupted(const std::string& script, const Words& seconds) const {
    std::string line = "{ " + script + "; } | ";
    for (const std::string& after : seconds) line += "timeout --foreground --preserve-status -s INT " + after + " ";
    return RunShell(line + "\"$0\" \"$@\"",
                    {"chat", "--model", Path("tiny"), "--template", "zephyr", "--tokens", "50000", "--threads", "1"});
  }
};

TEST_F(CommandLongAnswer, CtrlCEndsTheAnswer) {
  const Result result = Interrupted("echo Hi; sleep 5; echo /exit", {"3"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Sentences(result), Words{"ampgrad: note: the answer was interrupted"});
  EXPECT_TRUE(result.out.ends_with("\n"));
}

TEST_F(CommandLongAnswer, AnotherCtrlCEndsTheProgram) {
  const Result result = Interrupted("echo Hi; sleep 7", {"5", "3"});
  EXPECT_EQ(result.code, 130);
  EXPECT_EQ(Sentences(result), (Words{"ampgrad: note: the answer was interrupted", "ampgrad: interrupted"}));
}

}  // namespace
}  // namespace ampgrad::train
