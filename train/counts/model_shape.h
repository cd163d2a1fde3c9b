#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/language_model.h"

/// How many numbers of which kind a model and its fine-tuning have: arithmetic on shapes, for which no weight is read.
namespace ampgrad::train {

/// What a model consists of. Its matrices and vectors have their shapes, and no numbers.
struct ModelShape {
  std::string name = {};  // of the preset, or the model's directory
  std::string family;     // "GPT-2" or "Llama"
  std::string note = {};  // what a reader should know of the preset; empty for none
  std::unique_ptr<models::LanguageModel> model;
  Index inner = 0, heads = 0, kv_heads = 0;
  bool tied = false;       // one vocabulary matrix serves as embedding and head
  bool has_masks = false;  // a causal mask [context, context] in each layer, as a GPT-2's state dict holds
};

/// The names that `PresetShape` knows.
std::vector<std::string> ShapePresets();

/// A public shape. "photonic" is the papers' PhotonicGPT, with its vocabulary of 15,007; the preset that other commands
/// call by this name is trained here on bytes, and has a vocabulary of 256. Throws std::invalid_argument for another
/// name.
ModelShape PresetShape(const std::string& name);

/// The shape that config.json of a model directory describes; weights need not be there. Throws std::runtime_error when
/// the file is missing, does not describe a GPT-2 or a Llama, or asks for more than 10¹⁵ numbers.
ModelShape ReadShape(const std::filesystem::path& directory);

}  // namespace ampgrad::train
