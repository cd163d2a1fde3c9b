#include "models/chat/configured_tokens.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

// A token stands there as its text, or as an object that holds the text.
io::JsonValue TextOf(const io::JsonValue& token) { return token.json().is_object() ? token.Field("content") : token; }

// The token under `key` of tokenizer_config.json, else that under `key`_id of config.json.
int TokenOf(const fs::path& model, const std::string& key, const char* purpose, const Tokenizer& tokenizer) {
  const ModelText own = TokenizerConfig(model);
  if (const io::JsonValue token = own.value().Field(key); !token.null()) {
    const io::JsonValue text = TextOf(token);
    if (const std::optional<int> id = tokenizer.Id(text.StringOr(""))) return *id;
    text.Fail("a token of tokenizer.json");
  }
  const ModelText config = RequireModelText(model, "config.json");
  const io::JsonValue ids = config.value().Field(key + "_id");
  const io::JsonValue id = ids.json().is_array() ? ids.Item(0) : ids;
  if (id.null()) id.Fail(key + "_id, which " + purpose, "none");
  return static_cast<int>(id.Integer(0, tokenizer.vocabulary() - 1));
}

}  // namespace

ModelText TokenizerConfig(const fs::path& model) {
  const char* name = "tokenizer_config.json";
  if (std::optional<ModelText> text = ReadModelText(model, name)) return *std::move(text);
  return {nlohmann::json::object(), (model / name).string()};
}

std::optional<int> ConfiguredToken(const fs::path& model, const std::string& key, const Tokenizer& tokenizer) {
  const ModelText own = TokenizerConfig(model);
  const io::JsonValue token = own.value().Field(key);
  return token.null() ? std::nullopt : tokenizer.Id(TextOf(token).StringOr(""));
}

int EndOfText(const fs::path& model, const Tokenizer& tokenizer) {
  return TokenOf(model, "eos_token", "ends every answer", tokenizer);
}

int BeginOfText(const fs::path& model, const Tokenizer& tokenizer) {
  return TokenOf(model, "bos_token", "begins every message of the user", tokenizer);
}

}  // namespace ampgrad::models
