#include "models/chat/configured_tokens.h"

#include <nlohmann/json.hpp>

#include "tensor/io/json.h"
#include "tensor/io/own_file.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

// A token stands there as its text, or as an object that holds the text.
io::JsonValue TextOf(const io::JsonValue& token) { return token.json().is_object() ? token.Field("content") : token; }

// The token under `key` of tokenizer_config.json, else that under `key`_id of config.json.
int TokenOf(const fs::path& directory, const std::string& key, const char* purpose, const Tokenizer& tokenizer) {
  const nlohmann::json own = TokenizerConfig(directory);
  const io::JsonValue token = io::JsonValue(own, (directory / "tokenizer_config.json").string()).Field(key);
  if (!token.null()) {
    const io::JsonValue text = TextOf(token);
    if (const std::optional<int> id = tokenizer.Id(text.StringOr(""))) return *id;
    text.Fail("a token of tokenizer.json");
  }
  const fs::path file = io::OwnFile(directory, "config.json");
  const nlohmann::json config = io::ReadJsonObject(file);
  const io::JsonValue ids = io::JsonValue(config, file.string()).Field(key + "_id");
  const io::JsonValue id = ids.json().is_array() ? ids.Item(0) : ids;
  if (id.null()) id.Fail(key + "_id, which " + purpose, "none");
  return static_cast<int>(id.Integer(0, tokenizer.vocabulary() - 1));
}

}  // namespace

nlohmann::json TokenizerConfig(const fs::path& directory) {
  const fs::path file = io::OwnFile(directory, "tokenizer_config.json");
  return io::IsThere(file) ? io::ReadJsonObject(file) : nlohmann::json::object();
}

std::optional<int> ConfiguredToken(const fs::path& directory, const std::string& key, const Tokenizer& tokenizer) {
  const nlohmann::json own = TokenizerConfig(directory);
  const io::JsonValue token = io::JsonValue(own, (directory / "tokenizer_config.json").string()).Field(key);
  return token.null() ? std::nullopt : tokenizer.Id(TextOf(token).StringOr(""));
}

int EndOfText(const fs::path& directory, const Tokenizer& tokenizer) {
  return TokenOf(directory, "eos_token", "ends every answer", tokenizer);
}

int BeginOfText(const fs::path& directory, const Tokenizer& tokenizer) {
  return TokenOf(directory, "bos_token", "begins every message of the user", tokenizer);
}

}  // namespace ampgrad::models
