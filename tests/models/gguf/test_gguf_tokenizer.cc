#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/gguf/gguf_tokenizer.h"
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
  EXPECT_EQ(error({{"tokenizer.ggml.model", std::string("llama")}, {"tokenizer.ggml.tokens", tokens}}),
            "D/t.gguf: expected tokenizer.ggml.scores to be an array with a score for each of 2 tokens, found "
            "nothing");
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

}  // namespace
}  // namespace ampgrad::models
