#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tensor/real.h"

/// How llama.cpp names and orders what Hugging Face's directories hold: the convention of its converters.
/// https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/tensor_mapping.py
namespace ampgrad::io {

/// "blk.3.attn_q.weight" for "layers.3.self_attn.q_proj.weight". `architecture` is "llama" or "gpt2"; `name` has no
/// prefix of a checkpoint. None for a tensor that such a model does not have.
std::optional<std::string> GgufName(const std::string& architecture, const std::string& name);
/// The reverse.
std::optional<std::string> HuggingFaceName(const std::string& architecture, const std::string& gguf_name);

/// Whose heads' rows stand in pairs in GGUF (PairedRows) in a tensor of this name: a Llama's queries' or keys'.
enum class PairedHeads { kNone, kQueries, kKeys };
PairedHeads PairedHeadsOf(const std::string& architecture, const std::string& name);

/// For each row of a Llama's query or key matrix [rows, in] in GGUF the row in Hugging Face's form: of each head, the
/// rows i and i + half, which rotary positions turn together, lie side by side.
std::vector<Index> PairedRows(Index rows, Index heads);

}  // namespace ampgrad::io
