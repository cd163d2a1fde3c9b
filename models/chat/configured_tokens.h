#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "models/tokenizer/tokenizer.h"

/// The special tokens that the files of a model directory name.
namespace ampgrad::models {

/// The content of tokenizer_config.json, or an empty object when there is no such file.
nlohmann::json TokenizerConfig(const std::filesystem::path& directory);

/// The token that tokenizer_config.json has under `key`, such as eos_token. None when it has none or one that
/// `tokenizer` lacks, which then never comes.
std::optional<int> ConfiguredToken(const std::filesystem::path& directory, const std::string& key,
                                   const Tokenizer& tokenizer);

/// The token that ends a text: eos_token of tokenizer_config.json, else eos_token_id of config.json (a list's first).
/// Throws std::runtime_error when neither names a token of `tokenizer`.
int EndOfText(const std::filesystem::path& directory, const Tokenizer& tokenizer);
/// The same for the token that begins a text, bos_token and bos_token_id.
int BeginOfText(const std::filesystem::path& directory, const Tokenizer& tokenizer);

}  // namespace ampgrad::models
