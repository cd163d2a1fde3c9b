#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/gguf/gguf_model.h"
#include "tensor/io/gguf/gguf_writer.h"

/// What stands beside the weights of a model, as values of a GGUF file: the reverse of `ConfigOf`.
namespace ampgrad::models {

/// The values of a model with this config.json. Scaled rotary frequencies of Llama-3's kind are no values, but the
/// tensor that `RotaryDivisors` gives. Throws std::runtime_error for a model_type other than "llama" and "gpt2".
io::GgufValues ConfigValues(const nlohmann::json& config, const std::string& name);

/// The values of a model without a tokenizer: the special tokens that its config.json names.
io::GgufValues SpecialTokenValues(const nlohmann::json& config);

/// The first of the ids under a key of config.json, or null.
nlohmann::json FirstId(const nlohmann::json& config, const std::string& key);

/// What a GGUF file calls a model by default: the last part of its path.
std::string ModelName(const std::filesystem::path& model);

/// What a file says under "general.", such as whose the model is and under which licence, or under "tokenizer.", such
/// as further special tokens, but for what must be made anew. Among the keys may be some that the functions above and
/// `TokenizerValues` have, too.
io::GgufValues KeptValues(const GgufModel& model, const std::string& prefix);

}  // namespace ampgrad::models
