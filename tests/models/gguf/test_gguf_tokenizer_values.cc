#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/gguf/gguf_tokenizer_values.h"
#include "models/gguf/gguf_values.h"
#include "tensor/io/json.h"
#include "tests/support/files.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::models {
namespace {

using nlohmann::json;

json Golden(const char* name) {
  return io::ReadJsonObject(ampgrad::Golden(std::string("tokenizers/") + name) / "tokenizer.json");
}

const json kConfig = {{"bos_token_id", 1}, {"eos_token_id", 2}};

// What is said of a tokenizer that was changed.
std::string Verdict(json tokenizer, const json& patch) {
  tokenizer = tokenizer.patch(patch);
  const std::string prefix = "[gguf] expected a tokenizer that GGUF can describe, found ";
  std::string message = MessageOf({}, [&] { TokenizerValues(tokenizer, json::object(), kConfig, 800, {}); });
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

json Replace(const char* path, const json& value) { return {{{"op", "replace"}, {"path", path}, {"value", value}}}; }

TEST(TokenizerValues, RefuseScoresThatDoNotFollow) {
  const json tokenizer = Golden("llama");
  EXPECT_EQ(Verdict(tokenizer, Replace("/model/byte_fallback", false)), "tokens for bytes that are not used");
  EXPECT_EQ(Verdict(tokenizer, Replace("/normalizer/normalizers/0/prepend", "\u2581\u2581")),
            "the step of normalisation {\"prepend\":\"\\u2581\\u2581\",\"type\":\"Prepend\"}");
  EXPECT_EQ(Verdict(tokenizer, Replace("/normalizer", nullptr)), "scores without a mark for each space");
  EXPECT_EQ(Verdict(tokenizer, Replace("/normalizer/normalizers/1/content", "_")),
            "the step of normalisation {\"content\":\"_\",\"pattern\":{\"String\":\" \"},\"type\":\"Replace\"}");
  EXPECT_EQ(Verdict(tokenizer, Replace("/pre_tokenizer", {{"type", "Whitespace"}})),
            "the step of splitting {\"type\":\"Whitespace\"}");
  const json merges = tokenizer.at("model").at("merges");
  ASSERT_EQ(merges.at(1), "e r");
  EXPECT_EQ(Verdict(tokenizer, {{{"op", "remove"}, {"path", "/model/merges/1"}}}),
            "no merge of \"e\" and \"r\", which llama.cpp would merge");
}

TEST(TokenizerValues, RefuseWhatChangesATextBeforeItsMerges) {
  const json tokenizer = Golden("gpt2");
  EXPECT_EQ(Verdict(tokenizer, Replace("/pre_tokenizer/add_prefix_space", true)),
            "merges of a text with a space put before it");
  EXPECT_EQ(Verdict(tokenizer, Replace("/normalizer", {{"type", "Lowercase"}})),
            "the step of normalisation {\"type\":\"Lowercase\"}");
}

TEST(TokenizerValues, RefuseOtherTokensAroundAText) {
  const json tokenizer = Golden("llama");
  const std::string begin_and_end = "tokens around a text other than the begin and the end, 1 and 2";
  EXPECT_EQ(Verdict(tokenizer, Replace("/post_processor/special_tokens/<s>/ids", {2})), begin_and_end);
  EXPECT_EQ(Verdict(tokenizer, Replace("/post_processor/special_tokens/<s>/ids", {1, 1})), begin_and_end);
  EXPECT_EQ(Verdict(tokenizer, Replace("/post_processor", {{"type", "BertProcessing"}})),
            "the post-processor BertProcessing");
}

// An end that llama.cpp does not know gets a key of its own while there is one.
TEST(TokenizerValues, NameTheEndsOfGeneration) {
  const io::GgufValues values = TokenizerValues(Golden("llama"), json::object(), kConfig, 800, {2, 5, 7, 9});
  const auto value_of = [&](const std::string& key) {
    for (const auto& [name, value] : values) {
      if (name == "tokenizer.ggml." + key) return static_cast<int>(std::get<uint32_t>(value));
    }
    return -1;
  };
  EXPECT_EQ(value_of("eos_token_id"), 2);
  EXPECT_EQ(value_of("eot_token_id"), 5);
  EXPECT_EQ(value_of("eom_token_id"), 7);
}

TEST(ModelName, IsTheLastPartOfThePath) {
  EXPECT_EQ(ModelName("a/v1.5/"), "v1.5");
  EXPECT_EQ(ModelName("a/v1.5"), "v1.5");
  EXPECT_EQ(ModelName("a/m-q8.gguf"), "m-q8");
  EXPECT_EQ(ModelName("a/caf\xe9"), "caf\uFFFD");
}

}  // namespace
}  // namespace ampgrad::models
