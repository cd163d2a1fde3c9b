#pragma once

#include <string>

#include "nn/matrix.h"

/// The names by which Hugging Face's PEFT knows the parts of a model.
namespace ampgrad::ct {

inline constexpr char kPeftConfig[] = "adapter_config.json";
inline constexpr char kPeftWeights[] = "adapter_model.safetensors";

/// What the names of all tensors of an adapter start with.
inline constexpr char kPeftStart[] = "base_model.model.";

/// The module that holds the parameter `name`, by its path in the whole model: "model.layers.0.self_attn.q_proj" for
/// layers.0.self_attn.q_proj.weight, where `prefix` is that of the checkpoint, "model.".
std::string PeftModule(const std::string& name, const std::string& prefix);

/// Whether the module of a matrix looks rows up, and multiplies nothing. PEFT updates such a matrix [V, C] in its
/// transpose.
bool IsEmbedding(const nn::Matrix& matrix);

/// The names of the tensors of an update.
struct UpdateNames {
  std::string a;          // A [r, in]; of an embedding Bᵀ [r, V]
  std::string b;          // B [out, r]; of an embedding Aᵀ [C, r]
  std::string magnitude;  // m [out]
};
UpdateNames PeftUpdateNames(const std::string& module, bool embedding);

}  // namespace ampgrad::ct
