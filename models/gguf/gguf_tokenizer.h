#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "models/gguf/gguf_model.h"

/// The tokenizer in a GGUF file, as the files in which Hugging Face's directories hold one.
namespace ampgrad::models {

/// llama.cpp's types of tokens.
enum GgufTokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// Stands for a space in vocabularies with scores: U+2581.
inline constexpr char kSpaceMark[] = "\u2581";

/// The tokenizer.json. tokenizer.ggml.model is "llama", a vocabulary with scores, whose merges are all pairs of tokens
/// that join to a token, those of the highest score first, or "gpt2", with its merges and a pre-tokenizer of "default",
/// "gpt-2", "llama-bpe", "smollm" or "qwen2". Throws std::runtime_error naming the key for what is missing or not
/// supported.
nlohmann::json TokenizerOf(const GgufModel& model);

/// The tokenizer_config.json: the special tokens by their text, and the chat template.
nlohmann::json TokenizerConfigOf(const GgufModel& model);

/// The generation_config.json: the tokens at which llama.cpp stops, which are those that the file names as the end of a
/// text or of an answer, and special tokens with the usual text of one.
nlohmann::json GenerationConfigOf(const GgufModel& model);

}  // namespace ampgrad::models
