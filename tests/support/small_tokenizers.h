#pragma once

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/tokenizer/byte_map.h"
#include "models/tokenizer/tokenizer.h"

/// Small tokenizer.json files, made to be changed by tests.
namespace ampgrad::models {

using Json = nlohmann::json;

/// A BPE whose ids are the indices in `tokens`.
inline Json SmallModel(const std::vector<std::string>& tokens, const Json& merges = Json::array()) {
  Json vocab = Json::object();
  for (size_t i = 0; i < tokens.size(); ++i) vocab[tokens[i]] = i;
  return {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}};
}

/// A file with nothing but a model: a text is one word, and tokens are joined without change.
inline Json SmallFile(const std::vector<std::string>& tokens, const Json& merges = Json::array()) {
  return {{"version", "1.0"},
          {"decoder", {{"type", "Sequence"}, {"decoders", Json::array()}}},
          {"model", SmallModel(tokens, merges)}};
}

inline Json AddedTokenJson(int id, const std::string& content, bool special = true) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

/// Like Llama-2's file: special tokens 0 to 2, byte b as id b + 3, and from 259 on the tokens U+2581 a b c ab ▁ab abc.
inline Json LlamaLikeFile() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  for (int byte = 0; byte < 256; ++byte) {
    char token[8];
    std::snprintf(token, sizeof(token), "<0x%02X>", byte);
    tokens.push_back(token);
  }
  for (const char* token : {"▁", "a", "b", "c", "ab", "▁ab", "abc"}) tokens.push_back(token);
  Json file = SmallFile(tokens, {"a b", "▁ ab", "ab c"});
  file["model"].update({{"unk_token", "<unk>"}, {"fuse_unk", true}, {"byte_fallback", true}});
  file["added_tokens"] = {AddedTokenJson(0, "<unk>"), AddedTokenJson(1, "<s>"), AddedTokenJson(2, "</s>")};
  file["normalizer"] = Json::parse(R"({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})");
  file["post_processor"] = Json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}})");
  file["decoder"] = Json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  return file;
}

inline Tokenizer Small(const Json& file) { return Tokenizer::FromJson(file, "tokenizer.json"); }

/// What the user sees when `action` fails, or "".
inline std::string ErrorOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// The error of reading `file` after `change`, without "tokenizer.json: ".
inline std::string ReadError(Json file, const std::function<void(Json&)>& change) {
  change(file);
  const std::string start = "tokenizer.json: ", error = ErrorOf([&] { Small(file); });
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

/// Decodes through a StreamDecoder, one id at a time.
inline std::string Streamed(const Tokenizer& tokenizer, const std::vector<int>& ids, bool skip_special = false) {
  StreamDecoder stream(tokenizer, skip_special);
  std::string text;
  for (const int id : ids) text += stream.Push(id);
  return text + stream.Finish();
}

/// The tokens that `text` is encoded as, as the file spells them.
inline std::vector<std::string> TokensOf(const Json& file, std::string_view text,
                                         Tokenizer::Markup markup = Tokenizer::Markup::kText) {
  std::vector<std::string> tokens;
  for (const int id : Small(file).Encode(text, false, markup)) {
    for (const Json& added : file.value("added_tokens", Json::array())) {
      if (added["id"] == id && !file["model"]["vocab"].contains(added["content"])) tokens.push_back(added["content"]);
    }
    for (const auto& [token, value] : file["model"]["vocab"].items()) {
      if (value == id) tokens.push_back(token);
    }
  }
  return tokens;
}

}  // namespace ampgrad::models
