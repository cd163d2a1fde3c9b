#pragma once

#include <cstdint>
#include <filesystem>

#include "models/synth.h"
#include "tensor/io/gguf/ggml_type.h"

namespace ampgrad::models {

/// Writes a made-up Llama as one GGUF file, matrices in `TypeForRows` of `type`, with the tokenizer of single bytes.
/// One tensor at a time is in memory. Throws std::invalid_argument for a GPT-2, std::runtime_error when writing fails.
void WriteSynthGguf(const SynthModel& model, uint64_t seed, io::GgmlType type, const std::filesystem::path& file);

}  // namespace ampgrad::models
