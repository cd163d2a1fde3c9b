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
  const json metaspace = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "never"}};
  EXPECT_EQ(Verdict(tokenizer, Replace("/pre_tokenizer", metaspace)),
            "tokens of several words, of a text split at spaces");
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

// Of a file that has keys of its own for two ends, a third finds none.
TEST(TokenizerValues, LeaveTheEndsOfTheFileItself) {
  const io::GgufValues kept = {{"tokenizer.ggml.eot_token_id", uint32_t{7}},
                               {"tokenizer.ggml.eom_token_id", uint32_t{9}}};
  for (const auto& [key, value] : TokenizerValues(Golden("llama"), json::object(), kConfig, 800, {2, 5, 7, 9}, kept)) {
    EXPECT_FALSE(key.ends_with("eot_token_id") || key.ends_with("eom_token_id")) << key;
  }
}

TEST(KeptValues, AreThoseOfAPrefix) {
  const TempDir directory;
  const io::GgufValues values = {{"general.architecture", std::string("llama")},
                                 {"general.license", std::string("mit")},
                                 {"general.sampling.temp", 0.5f},
                                 {"general.sampling.top_k", int32_t{-1}},
                                 {"general.tags", std::vector<std::string>{"a", "b"}},
                                 {"tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"}},
                                 {"tokenizer.ggml.fim_pre_token_id", uint32_t{1}},
                                 {"tokenizer.ggml.mask_token_id", uint32_t{2}},  // no token
                                 {"other.key", true}};
  io::GgufWriter(directory.path() / "t.gguf", values, {}).Commit();
  const GgufModel model(directory.path() / "t.gguf");
  const io::GgufValues general = {values[1], values[2], values[3], values[4]};
  EXPECT_EQ(KeptValues(model, "general."), general);
  EXPECT_EQ(KeptValues(model, "tokenizer.").size(), 2u);
}

TEST(ModelName, IsTheLastPartOfThePath) {
  EXPECT_EQ(ModelName("a/v1.5/"), "v1.5");
  EXPECT_EQ(ModelName("a/v1.5"), "v1.5");
  EXPECT_EQ(ModelName("a/m-q8.gguf"), "m-q8");
  EXPECT_EQ(ModelName("a/caf\xe9"), "caf\uFFFD");
}

}  // namespace
}  // namespace ampgrad::models
