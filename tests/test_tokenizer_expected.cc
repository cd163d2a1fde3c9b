#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "models/json_file.h"
#include "models/tokenizer.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = fs::path(AMPGRAD_SOURCE_DIR).parent_path() / "shared";

// The tokenizer.json of a directory. The one for GPT-2 asks for texts to be cut at 50 tokens, which those who made the
// expected ids turned off.
Tokenizer ReadUncut(const fs::path& directory) {
  nlohmann::json json = ReadJsonObject(directory / "tokenizer.json");
  json["truncation"] = nullptr;
  return Tokenizer::FromJson(json, "tokenizer.json");
}

// Checks every text of `directory`/expected.json, which hold what Hugging Face's library gives.
void CheckExpected(const fs::path& directory) {
  if (!fs::exists(directory / "expected.json")) GTEST_SKIP() << directory << " is not there";
  const Tokenizer tokenizer = ReadUncut(directory);
  const nlohmann::json expected = ParseJson(ReadTextFile(directory / "expected.json"), "expected.json");
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

TEST(Tokenizer, EqualsHuggingFacesOnGpt2) { CheckExpected(kShared / "data" / "gpt2-tokenizer"); }
TEST(Tokenizer, EqualsHuggingFacesOnLlama) { CheckExpected(kShared / "data" / "llama-tokenizer"); }
TEST(Tokenizer, EqualsHuggingFacesOnStories) { CheckExpected(kShared / "golden" / "stories260K"); }

}  // namespace
}  // namespace ampgrad::models
