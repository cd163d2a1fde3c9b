#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tensor/io/gguf/gguf_writer.h"
#include "tensor/real.h"

/// A tokenizer as values of a GGUF file: the reverse of `TokenizerOf`.
namespace ampgrad::models {

/// The values of a tokenizer.json with its tokenizer_config.json and config.json, for a model of `rows` tokens: ids
/// without a token get one that no text makes. `stops` are the ids that end generation, and `kept` the values that the
/// file will have beside these (`KeptValues`). Throws std::runtime_error for a
/// tokenizer that GGUF cannot describe: one with other steps than those of `TokenizerOf`, or whose merges do not follow
/// from scores where they must. Notes what a file leaves out: normal forms of Unicode, flags of added tokens, ends for
/// which there is no key, and merges that scores do not describe.
io::GgufValues TokenizerValues(const nlohmann::json& tokenizer, const nlohmann::json& tokenizer_config,
                               const nlohmann::json& config, Index rows, const std::vector<int>& stops = {},
                               const io::GgufValues& kept = {});

}  // namespace ampgrad::models
