#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/gguf/gguf_tokenizer.h"
#include "models/gguf/gguf_tokenizer_values.h"
#include "models/gguf/gguf_values.h"
#include "models/tokenizer/tokenizer.h"
#include "tensor/io/gguf/gguf_writer.h"
#include "tensor/io/json.h"
#include "tests/support/files.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {
namespace {

// A GGUF file without weights that holds the tokenizer of a directory.
std::filesystem::path WriteTokenizer(const std::filesystem::path& directory, const std::filesystem::path& to) {
  nlohmann::json json = io::ReadJsonObject(directory / "tokenizer.json");
  json["truncation"] = nullptr;
  const Index rows = Tokenizer::FromJson(json, "t").vocabulary();
  const nlohmann::json config = {{"bos_token_id", 1}, {"eos_token_id", 2}};
  io::GgufValues values = TokenizerValues(json, nlohmann::json::object(), config, rows);
  values.emplace_back("general.architecture", std::string("llama"));
  io::GgufWriter(to, values, {}).Commit();
  return to;
}

// The ids that Hugging Face's library gives; `same` leaves out texts that llama.cpp treats otherwise.
void CheckExpected(const GgufModel& model, const std::filesystem::path& expected, bool (*same)(const std::string&)) {
  const Tokenizer tokenizer = Tokenizer::FromJson(TokenizerOf(model), "t");
  size_t checked = 0;
  for (const nlohmann::json& row : nlohmann::json::parse(Get(expected))) {
    const std::string text = row["text"];
    if (!same(text)) continue;
    ++checked;
    EXPECT_EQ(tokenizer.Encode(text, true, Tokenizer::Markup::kTokens), row["ids"].get<std::vector<int>>()) << text;
    EXPECT_EQ(tokenizer.Decode(row["ids"].get<std::vector<int>>(), true), row["decoded"].get<std::string>());
  }
  EXPECT_GE(checked, 15u);
}

bool Any(const std::string&) { return true; }
// llama.cpp does not bring Qwen-2's texts into the normal form NFC.
bool IsAscii(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

class GgufTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(GgufTokenizer, GivesHuggingFacesIds) {
  const TempDir directory;
  const std::filesystem::path source = Golden(std::string("tokenizers/") + GetParam());
  const GgufModel model(WriteTokenizer(source, directory.path() / "t.gguf"));
  CheckExpected(model, source / "expected.json", GetParam() == std::string("qwen2") ? IsAscii : Any);
}

INSTANTIATE_TEST_SUITE_P(Files, GgufTokenizer, ::testing::Values("gpt2", "llama", "llama3", "qwen2", "smollm"),
                         [](const auto& info) { return std::string(info.param); });

#ifdef AMPGRAD_SHARED_DIR
TEST(GgufTokenizerOfStories, GivesHuggingFacesIds) {
  CheckExpected(GgufModel(Shared("golden/gguf-stories/model.gguf")), Shared("golden/stories260K/expected.json"), Any);
}
#endif

// llama.cpp's own answer for its default pre-tokenizer: digits by three from the left, marks apart from words.
TEST(GgufTokenizerSteps, SplitsLikeTheDefault) {
  const TempDir directory;
  std::vector<std::string> tokens = {"<s>", "1", "2", "12", "123", "a", "\u0120", "\u0120a", "+", "!", "+!", "a!"};
  io::GgufWriter(directory.path() / "t.gguf",
                 {{"general.architecture", std::string("llama")},
                  {"tokenizer.ggml.model", std::string("gpt2")},
                  {"tokenizer.ggml.tokens", tokens},
                  {"tokenizer.ggml.token_type", std::vector<int32_t>{3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
                  {"tokenizer.ggml.merges", std::vector<std::string>{"\u0120 a", "1 2", "+ !", "a !"}}},
                 {})
      .Commit();
  const Tokenizer tokenizer = Tokenizer::FromJson(TokenizerOf(GgufModel(directory.path() / "t.gguf")), "t");
  EXPECT_EQ(tokenizer.Encode("1212"), (std::vector<int>{3, 1, 2}));  // 121, 2: not 12, 12
  EXPECT_EQ(tokenizer.Encode("a+!"), (std::vector<int>{5, 10}));
  EXPECT_EQ(tokenizer.Encode("a! a"), (std::vector<int>{5, 9, 7}));
  EXPECT_EQ(tokenizer.Encode("a 1"), (std::vector<int>{5, 6, 1}));  // a number stands apart from its space
}

TEST(GgufTokenizerSteps, RefusesWhatItCannotFollow) {
  const TempDir directory;
  const auto error = [&](io::GgufValues values) {
    values.emplace_back("general.architecture", std::string("llama"));
    io::GgufWriter(directory.path() / "t.gguf", values, {}).Commit();
    return MessageOf(directory.path(), [&] { TokenizerOf(GgufModel(directory.path() / "t.gguf")); });
  };
  const std::vector<std::string> tokens = {"a", "b"};
  EXPECT_EQ(error({}), "D/t.gguf: expected tokenizer.ggml.model to be a string, found nothing");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("t5")}}),
            "D/t.gguf: expected tokenizer.ggml.model to be \"llama\" or \"gpt2\", found \"t5\"");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("llama")},
                   {"tokenizer.ggml.tokens", tokens},
                   {"tokenizer.ggml.scores", std::vector<float>{1}}}),
            "D/t.gguf: expected tokenizer.ggml.scores to be an array with a score for each of 2 tokens, found [1.0]");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("llama")}, {"tokenizer.ggml.tokens", tokens}}),
            "D/t.gguf: expected tokenizer.ggml.scores to be an array with a score for each of 2 tokens, found "
            "nothing");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("llama")},
                   {"tokenizer.ggml.tokens", tokens},
                   {"tokenizer.ggml.scores", std::vector<float>{1, NAN}}}),
            "D/t.gguf: expected an array of numbers, found NaN at 1");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("gpt2")},
                   {"tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "a"}},
                   {"tokenizer.ggml.merges", std::vector<std::string>{}}}),
            "D/t.gguf: expected tokenizer.ggml.tokens to differ, found \"a\" twice");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("llama")},
                   {"tokenizer.ggml.tokens", tokens},
                   {"tokenizer.ggml.token_type", std::vector<int32_t>{1}}}),
            "D/t.gguf: expected as many as tokens, 2, found 1");
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("gpt2")},
                   {"tokenizer.ggml.pre", std::string("tekken")},
                   {"tokenizer.ggml.tokens", tokens},
                   {"tokenizer.ggml.merges", std::vector<std::string>{}}}),
            "D/t.gguf: expected tokenizer.ggml.pre to be \"default\", \"gpt-2\", \"llama-bpe\", \"smollm\" or "
            "\"qwen2\", found \"tekken\"");
}

// What llama.cpp takes where a file is silent: the begin 1 and the end 2, and that it is added; bytes by their
// texts. Token "" and rows that are only filled are no tokens.
TEST(GgufTokenizerSteps, HasLlamaCppsDefaults) {
  const TempDir directory;
  const std::vector<std::string> tokens = {"<unk>",  "<s>",    "</s>", "\u2581", "a",      "\u2581a",
                                           "<0x00>", "<0x0A>", "",     "",       "[PAD10]"};
  io::GgufValues values = {{"general.architecture", std::string("llama")},
                           {"tokenizer.ggml.model", std::string("llama")},
                           {"tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0)},
                           {"tokenizer.ggml.tokens", tokens}};
  io::GgufWriter(directory.path() / "t.gguf", values, {}).Commit();
  const GgufModel model(directory.path() / "t.gguf");
  const Tokenizer tokenizer = Tokenizer::FromJson(TokenizerOf(model), "t");
  EXPECT_EQ(tokenizer.Encode("a\n", true), (std::vector<int>{1, 5, 7}));
  EXPECT_EQ(NamedToken(model, "eos_token_id"), 2);
  EXPECT_EQ(NamedToken(model, "padding_token_id"), -1);
  values.emplace_back("tokenizer.ggml.token_type", std::vector<int32_t>{2, 3, 3, 1, 1, 1, 6, 6, 1, 1, 5});
  values.emplace_back("tokenizer.ggml.eos_token_id", uint32_t{4294967295});
  io::GgufWriter(directory.path() / "u.gguf", values, {}).Commit();
  const GgufModel typed(directory.path() / "u.gguf");
  EXPECT_EQ(NamedToken(typed, "eos_token_id"), -1);
  EXPECT_EQ(TokenizerOf(typed).at("model").at("vocab").size(), 8u);
}

// llama.cpp knows ends of generation by their texts, whatever their type, and takes them for special tokens.
TEST(GgufTokenizerSteps, KnowsEndsByTheirTexts) {
  const TempDir directory;
  io::GgufWriter(directory.path() / "t.gguf",
                 {{"general.architecture", std::string("llama")},
                  {"tokenizer.ggml.model", std::string("gpt2")},
                  {"tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab", "<|im_end|>", "[EOT]", "end"}},
                  {"tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 1, 1, 4, 1}},
                  {"tokenizer.ggml.eom_token_id", uint32_t{5}},
                  {"tokenizer.ggml.add_space_prefix", true},  // of vocabularies with scores alone
                  {"tokenizer.ggml.merges", std::vector<std::string>{"a b", "a c", "", "b"}}},
                 {})
      .Commit();
  const GgufModel model(directory.path() / "t.gguf");
  EXPECT_EQ(GenerationConfigOf(model).at("eos_token_id"), nlohmann::json({3, 4, 5}));
  const Tokenizer tokenizer = Tokenizer::FromJson(TokenizerOf(model), "t");
  EXPECT_EQ(tokenizer.Encode("ab<|im_end|>", false, Tokenizer::Markup::kTokens), (std::vector<int>{2, 3}));
}

// Some megabytes of tokens a, aa, aaa, … would make millions of merges.
TEST(GgufTokenizerSteps, RefusesTokensOfTooManyPairs) {
  const TempDir directory;
  std::vector<std::string> tokens;
  for (const char letter : std::string("abcd")) {
    for (size_t length = 1; length <= 512; ++length) tokens.emplace_back(length, letter);
  }
  io::GgufWriter(directory.path() / "t.gguf",
                 {{"general.architecture", std::string("llama")},
                  {"tokenizer.ggml.model", std::string("llama")},
                  {"tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0)},
                  {"tokenizer.ggml.tokens", tokens}},
                 {})
      .Commit();
  const GgufModel model(directory.path() / "t.gguf");
  EXPECT_EQ(MessageOf(directory.path(), [&] { TokenizerOf(model); }),
            "D/t.gguf: expected tokens that join from at most 81920 pairs, found more");
}

}  // namespace
}  // namespace ampgrad::models
