#pragma once

#include <filesystem>
#include <string>

#include "ct/adapter/low_rank_adapter.h"
#include "nn/modules.h"

namespace ampgrad::ct {

/// What an adapter is written for.
struct PeftTarget {
  nn::Parts parts;                // of the model that it changes
  std::string checkpoint_prefix;  // of the model's tensors: "transformer." or "model."
  std::string base_model;         // the model's name or path, for who loads the adapter
  std::string model_card;         // the content of README.md
};

/// Writes an adapter as Hugging Face's PEFT saves one: adapter_config.json, adapter_model.safetensors in F32, and
/// README.md, into an existing directory. PEFT reads it without a warning and computes what the adapter says:
/// - alpha is scale·r; matrices of another rank or scale than the first have a pattern of their own;
/// - a module of which the adapter holds a tensor as a whole is saved with all its tensors, the others as in the model;
/// - PEFT loads no adapter without an update, so one that has none gets an update that is zero.
/// Throws std::runtime_error for what PEFT cannot hold: magnitudes of some matrices only or of an embedding, a change
/// of the embedding of a tied model, a module with both an update and whole tensors. Throws std::invalid_argument for a
/// name that the model does not have.
void WritePeftAdapter(const std::filesystem::path& directory, const LowRankAdapter& adapter, const PeftTarget& target);

}  // namespace ampgrad::ct
