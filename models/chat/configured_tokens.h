#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "models/files/model_texts.h"
#include "models/tokenizer/tokenizer.h"

/// The special tokens that the texts of a model name (`ReadModelText`): a directory, or a GGUF file.
namespace ampgrad::models {

/// tokenizer_config.json, or an empty object when there is no such file.
ModelText TokenizerConfig(const std::filesystem::path& model);

/// The token that tokenizer_config.json has under `key`, such as eos_token. None when it has none or one that
/// `tokenizer` lacks, which then never comes.
std::optional<int> ConfiguredToken(const std::filesystem::path& model, const std::string& key,
                                   const Tokenizer& tokenizer);

/// The token that ends a text: eos_token of tokenizer_config.json, else eos_token_id of config.json (a list's first).
/// Throws std::runtime_error when neither names a token of `tokenizer`.
int EndOfText(const std::filesystem::path& model, const Tokenizer& tokenizer);
/// The same for the token that begins a text, bos_token and bos_token_id.
int BeginOfText(const std::filesystem::path& model, const Tokenizer& tokenizer);

}  // namespace ampgrad::models
