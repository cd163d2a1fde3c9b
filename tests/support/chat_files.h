#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/chat_templates.h"
#include "tests/support/files.h"

/// Files of chat models for tests: a tokenizer with special tokens.
namespace ampgrad {

/// A tokenizer of bytes (id = byte) whose tokens 256, 257, … are `control`; `prefix` is put before every text.
inline nlohmann::json ByteTokenizerJson(const std::vector<std::string>& control, const std::string& prefix = "") {
  nlohmann::json vocab, added = nlohmann::json::array(), post = nullptr;
  for (int byte = 0, next = 0x100; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const int code = printable ? byte : next++;
    vocab[code < 0x80 ? std::string(1, static_cast<char>(code))
                      : std::string{static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))}] =
        byte;
  }
  for (size_t i = 0; i < control.size(); ++i) {
    const int id = 256 + static_cast<int>(i);
    added.push_back({{"id", id},
                     {"content", control[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
    if (control[i] != prefix) continue;
    post = {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", prefix}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"pair", nlohmann::json::array()},
            {"special_tokens", {{prefix, {{"id", prefix}, {"ids", {id}}, {"tokens", {prefix}}}}}}};
  }
  const nlohmann::json level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", level},
          {"post_processor", post},
          {"decoder", level},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", nlohmann::json::array()}}}};
}

/// The special tokens of all templates.
inline const std::vector<std::string> kControlTokens = {
    "</s>",       "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>", "<s>"};

/// Writes tokenizer.json with all special tokens, and a config.json whose end of text is </s>.
inline void PutChatModel(const std::filesystem::path& directory, const std::string& prefix = "") {
  Put(directory / "tokenizer.json", ByteTokenizerJson(kControlTokens, prefix).dump());
  Put(directory / "config.json", R"({"eos_token_id": 256})");
}

}  // namespace ampgrad
