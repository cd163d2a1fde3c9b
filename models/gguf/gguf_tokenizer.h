#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/gguf/gguf_model.h"

/// The tokenizer in a GGUF file, as the files in which Hugging Face's directories hold one.
namespace ampgrad::models {

/// llama.cpp's types of tokens.
enum GgufTokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// Whether a token stands for a byte, "<0x0A>".
bool IsByteToken(const std::string& text);

/// The pairs of parts of a token, cut between two characters.
std::vector<std::pair<std::string, std::string>> Splits(const std::string& token);

/// Longer tokens, in bytes, which no text makes, take no part in merging by score: they would have too many pairs.
inline constexpr size_t kLongestMerged = 512;

/// The texts by which llama.cpp knows tokens that end generation (llama-vocab.cpp, llama_vocab::impl::load).
const std::set<std::string>& EndTexts();

/// The id under tokenizer.ggml.<name>, "eos_token_id"; -1 for none and for one that is no token. As in llama.cpp, a
/// vocabulary with scores that does not say has 0 for unknown text, 1 for the begin and 2 for the end.
int NamedToken(const GgufModel& model, const std::string& name);

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
