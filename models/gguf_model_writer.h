#pragma once

#include <filesystem>
#include <string>
#include <utility>
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

/// Where what stands beside the weights comes from, each a directory or a GGUF file.
struct ModelSource {
  std::filesystem::path base;   // the model's name, authors, licence
  std::filesystem::path texts;  // its tokenizer and chat template

  /// Both from one place.
  ModelSource(const std::filesystem::path& model) : base(model), texts(model) {}  // NOLINT: a path is a source
  ModelSource(std::filesystem::path base, std::filesystem::path texts)
      : base(std::move(base)), texts(std::move(texts)) {}
};

/// Writes a model as one GGUF file, which llama.cpp runs, with its configuration, tokenizer and chat template, and what
/// a GGUF file that it comes from says beside these. Vectors are written as F32. Only one tensor at a time is widened.
/// Returns ‖Ŵ − W‖/‖W‖ over all matrices, Ŵ being what was written. Throws std::runtime_error for a tokenizer that GGUF
/// cannot describe (`TokenizerValues`), and for numbers that the type cannot hold.
double WriteGgufModel(const std::filesystem::path& file, LanguageModel& model, const ModelSource& source,
                      io::GgmlType type);

}  // namespace ampgrad::models
