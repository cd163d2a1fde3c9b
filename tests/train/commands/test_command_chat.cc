#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/chat_templates.h"
#include "tests/support/command_line.h"

/// Fine-tuning on conversations, from end to end.
namespace ampgrad::train {
namespace {

const std::string kMessagesNeedATemplate =
    ": expected chat_template.jinja, or a chat_template in tokenizer_config.json, found neither; messages need "
    "--template "
    "zephyr, chatml or llama3";

class CommandChat : public CommandLine {
 protected:
  void SetUp() override {
    CommandLine::SetUp();
    std::string lines;
    for (int i = 0; i < 20; ++i) {
      lines += R"({"messages":[{"role":"user","content":"Hi)" + std::to_string(i) +
               R"("},{"role":"assistant","content":"Ho"}]})" + "\n";
    }
    Put(Path("chat.jsonl"), lines);
  }
  Words On(const std::string& data, const std::string& out, const Words& more = {}) const {
    return Join(
        {"sft", "--model", Path("base"), "--data", Path(data), "--out", Path(out), "--steps", "2", "--save", "merged"},
        more);
  }
  /// Makes a copy of the base model with one more file.
  void CopyBase(const std::string& name, const std::string& file, const std::string& bytes) const {
    fs::copy(Path("base"), Path(name));
    Put(dir() / name / file, bytes);
  }
};

TEST_F(CommandChat, SftAndSweepPrintCounts) {
  const Result sft = ExpectRuns(On("chat.jsonl", "chat", {"--template", "zephyr"}));
  EXPECT_EQ(Lines(sft.out).front(),
            "16 samples to train on, 2 for choosing rates, 2 held out; 0 cut at the sequence length, 0 skipped, as no "
            "answer was left");
  const Result sweep = ExpectRuns({"sweep", "--model", Path("base"), "--data", Path("chat.jsonl"), "--template",
                                   "zephyr", "--k", "2", "--steps", "2", "--search-steps", "2", "--length", "34"});
  EXPECT_EQ(Lines(sweep.out).front().rfind("16 samples to train on, 2 for choosing rates, 2 held out; ", 0), 0u)
      << sweep.out;
}

// A prompt takes 9 + 3 + 1 + 15 bytes, and one more where its number has two digits.
TEST_F(CommandChat, SamplesWithoutAnAnswerAreSkippedAndCounted) {
  const Result some = ExpectRuns(On("chat.jsonl", "some", {"--template", "zephyr", "--length", "28"}));
  EXPECT_EQ(Lines(some.out).front(),
            "8 samples to train on, 1 for choosing rates, 1 held out; 20 cut at the sequence length, 10 skipped, as no "
            "answer was left");
  ExpectFails(1, On("chat.jsonl", "none", {"--template", "zephyr", "--length", "20"}),
              Path("chat.jsonl") + ": expected at least 3 samples with an answer within 20 tokens, found 0");
}

TEST_F(CommandChat, MessagesNeedATemplate) {
  ExpectFails(1, On("chat.jsonl", "new"), Path("base") + kMessagesNeedATemplate);
  ExpectFails(1, {"sweep", "--model", Path("base"), "--data", Path("chat.jsonl"), "--k", "2"},
              Path("base") + kMessagesNeedATemplate);
  ExpectFails(2, On("chat.jsonl", "new", {"--template", "vicuna"}),
              "expected --template to be one of zephyr, chatml, llama2, llama3, alpaca, plain, found 'vicuna'");
  ExpectFails(
      1, On("chat.jsonl", "new", {"--template", "chatml"}),
      Path("base/tokenizer.json") + ": expected the token <|im_start|> of the template chatml, found no such token");
  CopyBase("odd", "chat_template.jinja", "{{ messages }}");
  ExpectFails(1, {"sft", "--model", Path("odd"), "--data", Path("chat.jsonl"), "--out", Path("new")},
              Path("odd/chat_template.jinja") +
                  ": expected the chat template of Zephyr, ChatML, Llama-2 or Llama-3, found an unknown one; name the "
                  "one to use "
                  "with --template zephyr, chatml, llama2 or llama3");
}

// The same prompts in two shapes are the same samples.
TEST_F(CommandChat, OneConversationInTwoShapesIsOneRun) {
  std::string pairs;
  for (int i = 0; i < 20; ++i) pairs += R"({"prompt":"Hi)" + std::to_string(i) + R"(","completion":"Ho"})" + "\n";
  Put(Path("same.jsonl"), pairs);
  ExpectRuns(On("chat.jsonl", "a", {"--template", "zephyr"}));
  ExpectRuns(On("same.jsonl", "b", {"--template", "zephyr"}));
  ExpectRuns(On("same.jsonl", "c"));
  EXPECT_TRUE(Get(Path("a/model.safetensors")) == Get(Path("b/model.safetensors")));
  EXPECT_FALSE(Get(Path("a/model.safetensors")) == Get(Path("c/model.safetensors")));
}

TEST_F(CommandChat, TheResultKeepsItsTemplateAndItsEnd) {
  CopyBase("zephyr", "chat_template.jinja", kZephyrJinja);
  nlohmann::json config = nlohmann::json::parse(Get(Path("base/config.json")));
  config["eos_token_id"] = {10, 0};
  config.erase("bos_token_id");
  Put(Path("zephyr/config.json"), config.dump());
  const Words sft = {"sft", "--data", Path("chat.jsonl"), "--steps", "2", "--save", "merged"};
  ExpectRuns(Join(sft, {"--model", Path("zephyr"), "--out", Path("once")}));
  EXPECT_EQ(Get(Path("once/chat_template.jinja")), kZephyrJinja);
  const nlohmann::json kept = nlohmann::json::parse(Get(Path("once/config.json")));
  EXPECT_EQ(kept.at("eos_token_id"), nlohmann::json({10, 0}));
  EXPECT_FALSE(kept.contains("bos_token_id"));
  ExpectRuns(Join(sft, {"--model", Path("once"), "--out", Path("twice")}));
}

// A token without a row in the model matters only where it is needed.
TEST_F(CommandChat, RefusesATokenThatTheModelLacksOnceItIsNeeded) {
  nlohmann::json json = nlohmann::json::parse(Get(Path("base/tokenizer.json")));
  json["added_tokens"] = {{{"id", 256},
                           {"content", "</s>"},
                           {"single_word", false},
                           {"lstrip", false},
                           {"rstrip", false},
                           {"normalized", false},
                           {"special", true}}};
  CopyBase("other", "tokenizer.json", json.dump());
  const Words sft = {"sft", "--model", Path("other"), "--data", Path("pairs.jsonl"), "--steps", "1"};
  const std::string start = Path("other/tokenizer.json") + ": ";
  EXPECT_NE(
      ExpectRuns(Join(sft, {"--out", Path("new")}))
          .err.find(start + "1 of its tokens, such as \"</s>\" (256), have no row in the model's embedding of 256"),
      std::string::npos);
  Put(Path("other/tokenizer_config.json"), R"({"eos_token": "</s>"})");
  const Result result = Run(Join(sft, {"--out", Path("none")}));
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find(start + "expected tokens that have a row in the model's embedding of 256, found \"</s>\" "
                                    "(256)"),
            std::string::npos)
      << result.err;
}

TEST_F(CommandChat, HelpNamesTheShapesAndTheTemplates) {
  for (const char* command : {"sft", "sweep", "trace"}) {
    const std::string out = ExpectRuns({command, "--help"}).out;
    EXPECT_NE(out.find("JSON lines, or a JSON array, of messages, conversations, instruction/input/output, "
                       "prompt/completion, question/answer or text; several files with commas between them"),
              std::string::npos)
        << out;
    EXPECT_NE(
        out.find("zephyr, chatml, llama2, llama3, alpaca or plain; default: the model's own for messages, alpaca for "
                 "instructions, else plain"),
        std::string::npos)
        << out;
  }
}

}  // namespace
}  // namespace ampgrad::train
