#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/chat/chat_template.h"
#include "tensor/io/json.h"
#include "tests/support/files.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

/// Conversations in the tokens of real tokenizers.
namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

/// The prompt of formats' golden vector, and an answer.
const std::vector<Message> kSums = {
    {Role::kSystem, "You are a helpful assistant."}, {Role::kUser, "What is 2+2?"}, {Role::kAssistant, "4"}};

/// What Hugging Face's library makes of `text`, from the expected.json beside a tokenizer.
std::vector<int> ExpectedIds(const fs::path& directory, const std::string& text) {
  for (const nlohmann::json& row : nlohmann::json::parse(Get(directory / "expected.json"))) {
    if (row["text"] == text) return row["ids"];
  }
  ADD_FAILURE() << directory << " expects nothing of " << text;
  return {};
}

/// The tokenizer of TinyLlama: its small form, and as shipped.
class LlamaTokens : public ::testing::TestWithParam<fs::path> {
 protected:
  void SetUp() override {
    tokenizer_ = Tokenizer::FromFile(GetParam() / "tokenizer.json");
    Put(model_.path() / "config.json", R"({"eos_token_id": 2})");
  }
  Tokens Encoded(const std::vector<Message>& messages, ChatFormat format = ChatFormat::kZephyr) const {
    const ChatTemplate chat = NamedTemplate(format, model_.path(), tokenizer_);
    return Encode(chat, tokenizer_, Render(chat, messages));
  }

  TempDir model_;
  Tokenizer tokenizer_ = Tokenizer::Bytes();
};

std::vector<int> Prompt(const Tokens& tokens) {
  const auto first = std::find(tokens.is_target.begin(), tokens.is_target.end(), true) - tokens.is_target.begin();
  return {tokens.ids.begin(), tokens.ids.begin() + first};
}

std::vector<int> Targets(const Tokens& tokens) {
  std::vector<int> targets;
  for (size_t n = 0; n < tokens.ids.size(); ++n) {
    if (tokens.is_target[n]) targets.push_back(tokens.ids[n]);
  }
  return targets;
}

// The ids of the prompt of kSums: those that others have published for the real tokenizer, and those of the small one.
std::vector<int> PromptIds(const fs::path& directory) {
  if (directory.filename() == "llama-tokenizer") {
    return {1,     529,   29989, 5205,  29989, 29958, 13,    3492,  526, 263,   8444,  20255, 29889,
            2,     29871, 13,    29966, 29989, 1792,  29989, 29958, 13,  5618,  338,   29871, 29906,
            29974, 29906, 29973, 2,     29871, 13,    29966, 29989, 465, 22137, 29989, 29958, 13};
  }
  return ExpectedIds(directory,
                     "<|system|>\nYou are a helpful assistant.</s>\n<|user|>\nWhat is 2+2?</s>\n<|assistant|>\n");
}

TEST_P(LlamaTokens, ThePromptIsTheGoldenOne) {
  EXPECT_EQ(Prompt(Encoded(kSums)), PromptIds(GetParam()));
  EXPECT_EQ(Prompt(Encoded(kSums)).size(), 39u);
}

TEST_P(LlamaTokens, AnAnswerStartsWithoutASpace) {
  EXPECT_EQ(Targets(Encoded(kSums)), (std::vector<int>{*tokenizer_.Id("4"), 2}));  // not "▁4"
  // As in the whole text, tokenized at once.
  const std::string text = "<|user|>\nHi</s>\n<|assistant|>\nHello there, you\n two</s>";
  std::vector<int> whole = tokenizer_.Encode(text, true, Tokenizer::Markup::kTokens);
  EXPECT_EQ(Encoded({{Role::kUser, "Hi"}, {Role::kAssistant, "Hello there, you\n two"}}).ids, whole);
}

TEST_P(LlamaTokens, AConversationIsTheWholeTextTokenizedAtOnce) {
  const std::string text =
      "<|system|>\nBe kind.</s>\n<|user|>\n Hi  there</s>\n<|assistant|>\n\n "
      "Ho</s>\n<|user|>\nA\nB</s>\n<|assistant|>\nC "
      "é 🧠</s>";
  EXPECT_EQ(Encoded({{Role::kSystem, "Be kind."},
                     {Role::kUser, " Hi  there"},
                     {Role::kAssistant, "\n Ho"},
                     {Role::kUser, "A\nB"},
                     {Role::kAssistant, "C é 🧠"}})
                .ids,
            tokenizer_.Encode(text, true, Tokenizer::Markup::kTokens));
}

// The border of prompt and answer lies between two tokens even where the letters around it would merge.
TEST_P(LlamaTokens, ThePromptIsAPrefixWhateverTheAnswer) {
  for (const ChatFormat format : {ChatFormat::kPlain, ChatFormat::kZephyr}) {
    for (const std::string prompt : {"Hel", "a ", "x\n", "."}) {
      const std::vector<int> alone = Prompt(Encoded({{Role::kUser, prompt}, {Role::kAssistant, "z"}}, format));
      for (const std::string answer : {"lo", " b", "\n\n", "</s>", "é"}) {
        const Tokens tokens = Encoded({{Role::kUser, prompt}, {Role::kAssistant, answer}}, format);
        EXPECT_EQ(Prompt(tokens), alone) << prompt << "|" << answer;
        std::vector<int> text = tokenizer_.Encode(prompt);
        std::vector<int> targets = Targets(tokens);
        EXPECT_EQ(targets.back(), 2);
        targets.pop_back();
        text.insert(text.end(), targets.begin(), targets.end());
        EXPECT_EQ(tokenizer_.Decode(text), prompt + answer) << prompt << "|" << answer;
      }
    }
  }
}

// A copy that a later release of Hugging Face's library has saved puts a space before the first piece alone.
TEST_P(LlamaTokens, FollowsATokenizerThatStartsNothingAnew) {
  nlohmann::json json = io::ReadJsonObject(GetParam() / "tokenizer.json");
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
  Put(model_.path() / "tokenizer.json", json.dump());
  tokenizer_ = Tokenizer::FromFile(model_.path() / "tokenizer.json");
  // The same tokens, but for the "▁" behind each </s>.
  std::vector<int> golden = PromptIds(GetParam());
  const int space = *tokenizer_.Id("▁");
  for (size_t i = 1; i < golden.size(); ++i) {
    if (golden[i - 1] == 2 && golden[i] == space) golden.erase(golden.begin() + static_cast<std::ptrdiff_t>(i));
  }
  EXPECT_EQ(golden.size(), 37u);
  EXPECT_EQ(Prompt(Encoded(kSums)), golden);
  EXPECT_EQ(Targets(Encoded(kSums)), (std::vector<int>{*tokenizer_.Id("4"), 2}));
}

INSTANTIATE_TEST_SUITE_P(Files, LlamaTokens,
                         ::testing::ValuesIn(GoldenAndShared({"tokenizers/llama"}, {"data/llama-tokenizer"})),
                         [](const auto& info) { return TestNameOf(info.param); });

class Gpt2Tokens : public ::testing::TestWithParam<fs::path> {};

TEST_P(Gpt2Tokens, ThePromptIsAPrefixWhateverTheAnswer) {
  const TempDir model;
  nlohmann::json json = io::ReadJsonObject(GetParam() / "tokenizer.json");
  json["truncation"] = json["padding"] = nullptr;  // that copy cuts every text
  Put(model.path() / "tokenizer.json", json.dump());
  const Tokenizer tokenizer = Tokenizer::FromFile(model.path() / "tokenizer.json");
  const int end_of_text = *tokenizer.Id("<|endoftext|>");
  Put(model.path() / "config.json", "{\"eos_token_id\": " + std::to_string(end_of_text) + "}");
  const ChatTemplate chat = NamedTemplate(ChatFormat::kPlain, model.path(), tokenizer);
  const auto encoded = [&](const std::string& prompt, const std::string& answer) {
    return Encode(chat, tokenizer, Render(chat, {{Role::kUser, prompt}, {Role::kAssistant, answer}}));
  };
  for (const std::string prompt : {"Hel", "a ", "x\n", "."}) {
    for (const std::string answer : {"lo", " b", "\n\n", "\n", "<|endoftext|>", "é"}) {
      const Tokens tokens = encoded(prompt, answer);
      EXPECT_EQ(Prompt(tokens), tokenizer.Encode(prompt)) << prompt << "|" << answer;
      EXPECT_EQ(tokenizer.Decode(tokens.ids), prompt + answer + "<|endoftext|>");
      EXPECT_EQ(std::count(tokens.ids.begin(), tokens.ids.end(), end_of_text), 1);
    }
  }
  const bool real = GetParam().filename() == "gpt2-tokenizer";  // whose ids are those that others have published
  std::vector<int> whole = real ? std::vector<int>{15496, 11, 995, 0} : ExpectedIds(GetParam(), "Hello, world!");
  whole.push_back(end_of_text);
  EXPECT_EQ(encoded("Hello", ", world!").ids, whole);
}

INSTANTIATE_TEST_SUITE_P(Files, Gpt2Tokens,
                         ::testing::ValuesIn(GoldenAndShared({"tokenizers/gpt2"}, {"data/gpt2-tokenizer"})),
                         [](const auto& info) { return TestNameOf(info.param); });

}  // namespace
}  // namespace ampgrad::models
