#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tensor/io/gguf/gguf_writer.h"
#include "tensor/real.h"

/// What stands beside the weights of a model, as values of a GGUF file: the reverse of `ConfigOf` and `TokenizerOf`.
namespace ampgrad::models {

/// The values of a model with this config.json. Scaled rotary frequencies of Llama-3's kind are no values, but the
/// tensor that `RotaryDivisors` gives. Throws std::runtime_error for a model_type other than "llama" and "gpt2".
io::GgufValues ConfigValues(const nlohmann::json& config, const std::string& name);

/// The values of a model without a tokenizer: the special tokens that its config.json names.
io::GgufValues SpecialTokenValues(const nlohmann::json& config);

/// The values of a tokenizer.json with its tokenizer_config.json and config.json, for a model of `rows` tokens: ids
/// without a token get one that no text makes. Throws std::runtime_error for a tokenizer that GGUF cannot describe: one
/// with other steps than those of `TokenizerOf`, or whose merges do not follow from scores where they must.
io::GgufValues TokenizerValues(const nlohmann::json& tokenizer, const nlohmann::json& tokenizer_config,
                               const nlohmann::json& config, Index rows);

}  // namespace ampgrad::models
