#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "tensor/io/gguf/ggml_type.h"

namespace ampgrad::models {

/// The types that a model may be quantised to, by their names: "f32", "f16", "bf16", "q8_0", "q4_0".
std::vector<std::string> QuantisedTypes();
/// Throws std::invalid_argument for any other name.
io::GgmlType ParseQuantisedType(const std::string& name);

/// `type`, or F16 where rows of `numbers` are no multiple of its block.
io::GgmlType TypeForRows(Index numbers, io::GgmlType type);
/// The type in which a matrix is written where `type` is asked for: F32 for learned positions; Q8_0 in place of Q4_0
/// for a vocabulary; else `TypeForRows`.
io::GgmlType TypeInGguf(const nn::Matrix& matrix, io::GgmlType type);

/// Writes a model as one GGUF file, which llama.cpp runs, with the configuration, tokenizer and chat template of
/// `texts`, a directory or a GGUF file. Vectors are written as F32. Only one tensor at a time is widened. Returns
/// ‖Ŵ − W‖/‖W‖ over all matrices, Ŵ being what was written. Throws std::runtime_error for a tokenizer that GGUF cannot
/// describe (`TokenizerValues`).
double WriteGgufModel(const std::filesystem::path& file, LanguageModel& model, const std::filesystem::path& texts,
                      io::GgmlType type);

}  // namespace ampgrad::models
