#pragma once

#include <filesystem>
#include <string>

#include "ct/adapter/low_rank_adapter.h"
#include "tensor/real.h"

namespace ampgrad::ct {

/// What an adapter for llama.cpp is written for.
struct GgufTarget {
  std::string architecture;  // "gpt2" or "llama", as in the model's config.json
  Index heads, kv_heads;     // of attention; llama.cpp orders rows of queries and keys by head
};

/// Writes a LoRA adapter for llama.cpp, in F32, to be used with scale 1. Throws std::runtime_error for what it cannot
/// hold: magnitudes, whole tensors, and updates of embeddings.
void WriteGgufAdapter(const std::filesystem::path& file, const LowRankAdapter& adapter, const GgufTarget& target);

}  // namespace ampgrad::ct
