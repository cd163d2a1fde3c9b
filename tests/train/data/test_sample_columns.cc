#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/support/chat_files.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"
#include "train/data/chat_data.h"

/// The columns of a line, from the file to what is learned.
namespace ampgrad::train {
namespace {

using namespace std::string_literals;

class Columns : public testing::Test {
 protected:
  void SetUp() override { PutChatModel(dir_.path()); }

  std::filesystem::path data() const { return dir_.path() / "data.jsonl"; }

  ChatData ReadFile(const std::string& bytes, const std::string& name = "chatml") const {
    Put(data(), bytes);
    const models::Tokenizer tokenizer = models::Tokenizer::FromFile(dir_.path() / "tokenizer.json");
    return ReadChatData({{data()}, dir_.path(), name, 512, 1, 1}, tokenizer);
  }
  /// A file of this line, six times.
  ChatData Read(const std::string& line, const std::string& name = "chatml") const {
    return ReadFile(line + "\n" + line + "\n" + line + "\n" + line + "\n" + line + "\n" + line + "\n", name);
  }
  /// What the user sees instead of that; "" when it is read.
  std::string Refusal(const std::string& line, const std::string& name = "chatml") const {
    return MessageOf(dir_.path(), [&] { Read(line, name); });
  }

  /// What the model reads of a line: targets in capitals, special tokens as < (begins a message) and > (ends it).
  std::string Shown(const std::string& line, const std::string& name = "chatml") const {
    const Batch batch = Read(line, name).data.train(0);
    std::string text(1, Character(batch.inputs[0], false));
    for (size_t n = 0; n < batch.targets.size(); ++n) {
      const bool is_target = batch.targets[n] != ops::kIgnored, is_last = n + 1 == batch.inputs.size();
      text.push_back(Character(is_last ? batch.targets[n] : batch.inputs[n + 1], is_target));
    }
    return text;
  }

 private:
  static char Character(int id, bool is_target) {
    if (id == 257) return '<';
    if (id >= 256) return is_target ? '!' : '>';  // ! is an end that is learned
    return static_cast<char>(is_target ? std::toupper(id) : id);
  }

  TempDir dir_;
};

const std::string kTurn = R"([{"role":"user","content":"hey"},{"role":"assistant","content":"yo"}])";
const std::string kShownTurn = "<user\nhey>\n<assistant\nYO!";
const std::string kShownSystem = "<system\nbe brief>\n";

TEST_F(Columns, EverySpellingOfAConversationIsLearnedAlike) {
  for (const std::string& line : {
           R"({"messages":)" + kTurn + "}",
           R"({"conversations":)" + kTurn + "}",
           R"({"conversations":[{"from":"user","value":"hey"},{"from":"assistant","value":"yo"}]})"s,
           R"({"messages":[{"role":"user","content":[{"type":"text","text":"hey"}]},
                           {"role":"assistant","content":[{"type":"text","text":"yo"}]}]})"s,
           R"({"prompt":[{"role":"user","content":"hey"}],"completion":[{"role":"assistant","content":"yo"}]})"s,
           R"({"prompt":[{"role":"user","content":"hey"}],"completion":"yo"})"s,
           R"({"prompt":"hey","completion":[{"role":"assistant","content":"yo"}]})"s,
           R"({"prompt":"hey","completion":"yo"})"s,
           R"({"messages":null,"instruction":"hey","input":null,"output":"yo","system":null,"history":null})"s,
       }) {
    std::string one_line = line;
    std::replace(one_line.begin(), one_line.end(), '\n', ' ');
    EXPECT_EQ(Shown(one_line), kShownTurn) << line;
    // The same as items of one array, over many lines.
    const std::string array = "[\n" + line + ",\n" + line + "\n,\n" + line + "]\n";
    EXPECT_EQ(ReadFile(array).data.train(0).targets, Read(one_line).data.train(0).targets) << line;
  }
}

TEST_F(Columns, AnAnswerOfWeightZeroIsContext) {
  const auto line = [](const std::string& mark) {
    return R"({"messages":[{"role":"user","content":"what"},{"role":"assistant","content":"a dog")" + mark +
           R"(},{"role":"user","content":"no"},{"role":"assistant","content":"a pet"}]})";
  };
  const std::string start = "<user\nwhat>\n<assistant\n", end = "\n<user\nno>\n<assistant\nA PET!";
  EXPECT_EQ(Shown(line("")), start + "A DOG!" + end);
  for (const char* mark : {R"(,"weight":0)", R"(,"train":false)"}) {
    EXPECT_EQ(Shown(line(mark)), start + "a dog>" + end);
    EXPECT_EQ(Read(line(mark)).data.train(0).inputs, Read(line("")).data.train(0).inputs);
  }
}

// As TRL learns the completion alone.
TEST_F(Columns, AnswersInAPromptAreContext) {
  EXPECT_EQ(Shown(R"({"prompt":[{"role":"user","content":"what"},{"role":"assistant","content":"a dog"},)"
                  R"({"role":"user","content":"no"}],"completion":[{"role":"assistant","content":"a pet"}]})"),
            "<user\nwhat>\n<assistant\na dog>\n<user\nno>\n<assistant\nA PET!");
}

TEST_F(Columns, ASystemPromptIsWritten) {
  for (const std::string& line : {
           R"({"system":"be brief","messages":)" + kTurn + "}",
           R"({"system_prompt":"be brief","messages":)" + kTurn + "}",
           R"({"system":"be brief","conversations":[{"from":"system","value":"be brief"},{"from":"human","value":)"
           R"("hey"},{"from":"gpt","value":"yo"}]})"s,
           R"({"system":"be brief","prompt":"hey","completion":"yo"})"s,
           R"({"system":"be brief","prompt":[{"role":"user","content":"hey"}],"completion":"yo"})"s,
           R"({"system":"be brief","instruction":"hey","output":"yo"})"s,
           R"({"system":"be brief","question":"hey","answer":"yo"})"s,
       }) {
    EXPECT_EQ(Shown(line), kShownSystem + kShownTurn) << line;
  }
  EXPECT_EQ(Shown(R"({"system":"","messages":)" + kTurn + "}"), kShownTurn);
  EXPECT_EQ(Refusal(R"({"system":"be long","messages":[{"role":"system","content":"be brief"}]})"),
            "D/data.jsonl:1: expected system to be the same as the system message beside it, found \"be long\"");
  EXPECT_EQ(Refusal(R"({"system":3,"messages":)" + kTurn + "}"),
            "D/data.jsonl:1: expected system to be a string, found 3");
}

// The responses of a history are learned, too, as in LLaMA-Factory.
TEST_F(Columns, AHistoryStandsBeforeItsInstruction) {
  EXPECT_EQ(Shown(R"({"instruction":"its colour","input":"now","output":"red","system":"be brief",)"
                  R"("history":[["what","an apple"],["sure",""],[null,"yes"]]})"),
            kShownSystem +
                "<user\nwhat>\n<assistant\nAN APPLE!\n<user\nsure>\n<assistant\n>\n<user\n>\n<assistant\n"
                "YES!\n<user\nits colour\n\nnow>\n<assistant\nRED!");
  EXPECT_EQ(Shown(R"({"prompt":"hey","completion":"yo","history":[]})"), kShownTurn);
  const std::string start = R"({"prompt":"hey","completion":"yo","history":)";
  EXPECT_EQ(Refusal(start + R"([["q"]]})"),
            "D/data.jsonl:1: expected history[0] to be a pair [question, answer], found [\"q\"]");
  EXPECT_EQ(Refusal(start + R"([["q",3]]})"), "D/data.jsonl:1: expected history[0][1] to be a string, found 3");
  EXPECT_EQ(Refusal(start + R"("q"})"), "D/data.jsonl:1: expected history to be an array, found \"q\"");
}

TEST_F(Columns, ATemplateWithoutRolesHasNoPlaceForThem) {
  const std::string expected = " has no roles: a system prompt or a history needs --template zephyr, chatml or llama3";
  EXPECT_EQ(Refusal(R"({"system":"s","prompt":"hey","completion":"yo"})", ""),
            "D/data.jsonl:1: the template plain" + expected);
  EXPECT_EQ(Refusal(R"({"history":[["q","a"]],"instruction":"hey","output":"yo"})", ""),
            "D/data.jsonl:1: the template alpaca" + expected);
}

TEST_F(Columns, RefusesFieldsThatMayNotBeLost) {
  const auto refusal = [&](const std::string& field) { return Refusal(R"({"messages":)" + kTurn + "," + field + "}"); };
  const auto expected = [](const std::string& name, const std::string& found) {
    return "D/data.jsonl:1: expected " + name + " to be missing or empty, as it is not read here, found " + found;
  };
  EXPECT_EQ(refusal(R"("tools":[{"type":"function"}])"), expected("tools", "[{\"type\":\"function\"}]"));
  EXPECT_EQ(refusal(R"("tools":"[{}, 1]")"), expected("tools", "\"[{}, 1]\""));
  EXPECT_EQ(refusal(R"("images":["a.png"])"), expected("images", "[\"a.png\"]"));
  EXPECT_EQ(refusal(R"("history":[["q","a"]])"), expected("history", "[[\"q\",\"a\"]]"));
  EXPECT_EQ(Refusal(R"({"question":"q","context":"c","answer":"a"})"), expected("context", "\"c\""));
  EXPECT_EQ(Refusal(R"({"prompt":"q","input":"c","completion":"a"})"), expected("input", "\"c\""));
  EXPECT_EQ(refusal(R"("weight":0.5)"),
            "D/data.jsonl:1: expected weight to be 1, as all samples weigh the same, found 0.5");
  EXPECT_EQ(refusal(R"("kto_tag":false)"),
            "D/data.jsonl:1: expected kto_tag to be missing or true, as every sample is learned, found false");
  // What is empty, or says nothing of what is learned, is passed over.
  EXPECT_EQ(refusal(R"("tools":[],"functions":null,"images":"","history":[],"weight":1,"train":true)"), "");
  EXPECT_EQ(refusal(R"("tools":"[]","id":7,"source":"web","topic":["a"],"label":3,"text":"hey yo","prompt":"hey")"),
            "");
}

TEST_F(Columns, SamplesWithoutAnAnswerAreSkippedAndCounted) {
  for (const std::string& line : {
           R"({"instruction":"i","output":""})"s,
           R"({"instruction":"i","output":null})"s,
           R"({"instruction":null,"input":null,"output":null})"s,
           R"({"instruction":null})"s,
           R"({"instruction":"i","output":" \n"})"s,
       }) {
    const std::string good = R"({"instruction":"i","output":"o"})" + std::string("\n");
    const ChatData data = ReadFile(line + "\n" + good + good + line + "\n" + good, "");
    EXPECT_EQ(data.counts.skipped, 2) << line;
    EXPECT_EQ(data.train + data.validation + data.held_out, 3) << line;
  }
  for (const std::string& line : {
           R"({"prompt":"p","completion":""})"s,
           R"({"question":"q","answer":""})"s,
           R"({"prompt":[{"role":"user","content":"u"}],"completion":[{"role":"assistant","content":""}]})"s,
           R"({"messages":[]})"s,
           R"({"messages":[{"role":"user","content":"u"}]})"s,
           R"({"messages":[{"role":"user","content":"u"},{"role":"assistant","content":""}]})"s,
           R"({"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a","weight":0}]})"s,
           R"({"conversations":[{"from":"human","value":"u"},{"from":"gpt","value":null}]})"s,
       }) {
    EXPECT_EQ(Refusal(line), "D/data.jsonl: expected at least 3 samples with an answer within 512 tokens, found 0")
        << line;
  }
}

TEST_F(Columns, AnEmptyQuestionIsAQuestion) {
  EXPECT_EQ(Shown(R"({"prompt":"","completion":"yo"})"), "<user\n>\n<assistant\nYO!");
  EXPECT_EQ(Shown(R"({"prompt":"","completion":"yo"})", "plain"), "yO!");  // nothing foretells the first token
}

TEST_F(Columns, ConversationsThatCallToolsAreSkippedAndCounted) {
  const std::string
      good = R"({"messages":)" + kTurn + "}\n",
      call =
          R"({"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":null,"tool_calls":[{}]},)"
          R"({"role":"tool","content":"sun"},{"role":"assistant","content":"sunny"}]})"
          "\n";
  const ChatData data = ReadFile(call + call + call + good + good + good + good + good + good);
  EXPECT_EQ(Describe(data),
            "4 samples to train on, 1 for choosing rates, 1 held out; 0 cut at the sequence length, 0 skipped, as no "
            "answer was left, 3 skipped, as they call tools");
  EXPECT_EQ(Refusal(call.substr(0, call.size() - 1)),
            "D/data.jsonl: expected at least 3 samples with an answer within 512 tokens, found 0, 6 skipped, as they "
            "call tools");
}

TEST_F(Columns, TheLongestSampleIsKnownAfterTheCut) {
  const std::string line = R"({"prompt":"12345","completion":"67"})";  // 7 of the 8 tokens are inputs
  EXPECT_EQ(Read(line, "plain").longest, 7);
  Put(data(), line + "\n" + line + "\n" + line + "\n");
  const models::Tokenizer bytes = models::Tokenizer::Bytes();
  EXPECT_EQ(MakeChatData(ReadSamples(data()), models::ChatTemplate(), bytes, 6, 1, 1, "data").longest, 6);
}

}  // namespace
}  // namespace ampgrad::train
