#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "tensor/io/json.h"
#include "tensor/io/text_file.h"
#include "tensor/io/utf8.h"
#include "tests/support/golden.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

// The tokenizer.json of a directory. The one for GPT-2 asks for texts to be cut at 50 tokens, which those who made the
// expected ids turned off.
Tokenizer ReadUncut(const fs::path& directory) {
  nlohmann::json json = io::ReadJsonObject(directory / "tokenizer.json");
  json["truncation"] = nullptr;
  return Tokenizer::FromJson(json, "tokenizer.json");
}

// Checks every text of `directory`/expected.json, which hold what Hugging Face's library gives.
void CheckExpected(const fs::path& directory) {
  const Tokenizer tokenizer = ReadUncut(directory);
  const nlohmann::json expected = io::ParseJson(io::ReadTextFile(directory / "expected.json"), "expected.json");
  ASSERT_GE(expected.size(), 20u);
  for (const nlohmann::json& row : expected) {
    const std::string text = row["text"];
    const std::vector<int> ids = row["ids"];
    EXPECT_EQ(tokenizer.Encode(text, true, Tokenizer::Markup::kTokens), ids) << text;
    EXPECT_EQ(tokenizer.Encode(text, false, Tokenizer::Markup::kTokens), row["ids_no_special"].get<std::vector<int>>());
    EXPECT_EQ(tokenizer.Decode(ids, true), row["decoded"].get<std::string>());
    StreamDecoder stream(tokenizer, true);
    std::string streamed;
    for (const int id : ids) streamed += stream.Push(id);
    EXPECT_EQ(streamed + stream.Finish(), row["decoded"].get<std::string>());
  }
}

class ExpectedTokens : public ::testing::TestWithParam<fs::path> {};

TEST_P(ExpectedTokens, EqualHuggingFaces) { CheckExpected(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Files, ExpectedTokens,
    ::testing::ValuesIn(GoldenAndShared({"tokenizers/gpt2", "tokenizers/llama", "tokenizers/llama3", "tokenizers/qwen2",
                                         "tokenizers/smollm"},
                                        {"data/gpt2-tokenizer", "data/llama-tokenizer", "golden/stories260K"})),
    [](const auto& info) { return TestNameOf(info.param); });

// A tokenizer of Llama and one of GPT-2: the small ones, or the real ones.
struct PairOfFiles {
  fs::path llama, gpt2;
};

class TokenizerPair : public ::testing::TestWithParam<PairOfFiles> {
 protected:
  const Tokenizer llama = ReadUncut(GetParam().llama), gpt2 = ReadUncut(GetParam().gpt2);
};

std::vector<PairOfFiles> Pairs() {
  std::vector<PairOfFiles> pairs = {{Golden("tokenizers/llama"), Golden("tokenizers/gpt2")}};
#ifdef AMPGRAD_SHARED_DIR
  pairs.push_back({Shared("data/llama-tokenizer"), Shared("data/gpt2-tokenizer")});
#endif
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(Files, TokenizerPair, ::testing::ValuesIn(Pairs()),
                         [](const auto& info) { return TestNameOf(info.param.llama); });

// The same characters written by a user are text.
TEST_P(TokenizerPair, MarkupOfUsersIsText) {
  const int end_of_text = *gpt2.Id("<|endoftext|>");
  for (const std::string text : {"a</s>b", "<s>", "<|endoftext|>", "x<0x41>y"}) {
    for (const int id : llama.Encode(text)) EXPECT_GT(id, 2) << text;
    for (const int id : gpt2.Encode(text)) EXPECT_NE(id, end_of_text) << text;
    EXPECT_EQ(llama.Decode(llama.Encode(text)), text);
    EXPECT_EQ(gpt2.Decode(gpt2.Encode(text)), text);
  }
  EXPECT_EQ(gpt2.Encode("<|endoftext|>", false, Tokenizer::Markup::kTokens), (std::vector<int>{end_of_text}));
}

// Every code point of plane 0 and some beyond it comes back, in one text and one by one.
TEST_P(TokenizerPair, EveryCharacterComesBack) {
  std::string all;
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x10000 ? 1 : 0x101) {
    if (c == 0xD800) c = 0xE000;
    if (c == 0x2581) continue;  // Llama's decoder makes a space of it
    std::string character;
    io::AppendUtf8(c, character);
    all += character;
    ASSERT_EQ(llama.Decode(llama.Encode(character)), character) << +c;
    ASSERT_EQ(gpt2.Decode(gpt2.Encode(character)), character) << +c;
  }
  EXPECT_EQ(llama.Decode(llama.Encode(all)), all);
  EXPECT_EQ(gpt2.Decode(gpt2.Encode(all)), all);
  EXPECT_EQ(gpt2.Decode(gpt2.Encode("\uFEFF\u200D\U0010FFFF")), "\uFEFF\u200D\U0010FFFF");
}

#ifdef AMPGRAD_SHARED_DIR

// Vectors that others have published for the Llama-2 tokenizer as it was first stored.
TEST(Tokenizer, GoldenVectorsOfLlama) {
  const Tokenizer tokenizer = Tokenizer::FromFile(Shared("data/llama-tokenizer/tokenizer.json"));
  const std::vector<std::pair<std::string, std::vector<int>>> golden = {
      {"", {1}},
      {"Hello world", {1, 15043, 3186}},
      {"\n", {1, 29871, 13}},
      {"a\tb\nc", {1, 263, 12, 29890, 13, 29883}},
      {"café", {1, 274, 28059}},
      {"\U0001F9E0", {1, 29871, 243, 162, 170, 163}},
      {"\U00010348", {1, 29871, 243, 147, 144, 139}},
      {"alpha</s>beta", {1, 15595, 2, 21762}},
      {"<|user|>", {1, 529, 29989, 1792, 29989, 29958}},
      {"The Gophers craft code using [MASK] language.",
       {1, 450, 402, 3021, 414, 25554, 775, 773, 518, 1529, 16033, 29962, 4086, 29889}},
      {"I believe the meaning of life is", {1, 306, 4658, 278, 6593, 310, 2834, 338}}};
  for (const auto& [text, ids] : golden) {
    EXPECT_EQ(tokenizer.Encode(text, true, Tokenizer::Markup::kTokens), ids) << text;
  }
  EXPECT_EQ(tokenizer.vocabulary(), 32000);
  EXPECT_EQ(tokenizer.prefix(), (std::vector<int>{1}));
  EXPECT_EQ(tokenizer.Id("</s>"), 2);
}

// After a special token, the file as first stored starts the next piece with U+2581 (29871 before 13); the form
// that later exporters write, with Metaspace, does so at the start of the text only.
TEST(Tokenizer, BothFormsOfLlamasFile) {
  const std::string turn = "</s>\n<|assistant|>\n";
  const std::string prompt =
      "<|system|>\nYou are a helpful assistant." + turn.substr(0, 5) + "<|user|>\nWhat is 2+2?" + turn;
  nlohmann::json json = io::ReadJsonObject(Shared("data/llama-tokenizer/tokenizer.json"));
  const Tokenizer first = Tokenizer::FromJson(json, "first");
  EXPECT_EQ(first.Encode(prompt, true, Tokenizer::Markup::kTokens),
            (std::vector<int>{1,     529,   29989, 5205,  29989, 29958, 13,    3492,  526, 263,   8444,  20255, 29889,
                              2,     29871, 13,    29966, 29989, 1792,  29989, 29958, 13,  5618,  338,   29871, 29906,
                              29974, 29906, 29973, 2,     29871, 13,    29966, 29989, 465, 22137, 29989, 29958, 13}));
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
  const Tokenizer later = Tokenizer::FromJson(json, "later");
  EXPECT_EQ(later.Encode("a" + turn, false, Tokenizer::Markup::kTokens),
            (std::vector<int>{263, 2, 13, 29966, 29989, 465, 22137, 29989, 29958, 13}));
  EXPECT_EQ(first.Encode("a" + turn, false, Tokenizer::Markup::kTokens),
            (std::vector<int>{263, 2, 29871, 13, 29966, 29989, 465, 22137, 29989, 29958, 13}));
  // Without special tokens in it, a text has the same ids in both.
  for (const char* text : {"Once upon a time,\n  there  was", "don't 12 \u00E9"}) {
    EXPECT_EQ(later.Encode(text, true), first.Encode(text, true)) << text;
  }
  // But Metaspace puts nothing before a text that starts with a space already.
  EXPECT_EQ(first.Encode(" x"), (std::vector<int>{29871, 921}));
  EXPECT_EQ(later.Encode(" x"), (std::vector<int>{921}));
}

TEST(Tokenizer, GoldenVectorOfGpt2) {
  EXPECT_EQ(ReadUncut(Shared("data/gpt2-tokenizer")).Encode("Hello, world!", true),
            (std::vector<int>{15496, 11, 995, 0}));
  EXPECT_EQ(ReadUncut(Shared("data/gpt2-tokenizer")).vocabulary(), 50257);
}

#endif  // AMPGRAD_SHARED_DIR

}  // namespace
}  // namespace ampgrad::models
