#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "models/language_model.h"
#include "models/tokenizer/tokenizer.h"

namespace ampgrad::models {

/// Reads a Hugging Face model directory: config.json and the weights (`WeightFiles`, whose notes go to stderr).
/// Matrices stay in the mapped file, frozen, until they are trained; biases and norms are read as Real. Either all
/// tensor names carry the checkpoint's prefix, or none does. Throws std::runtime_error in one sentence when a file is
/// missing or malformed, the architecture is not supported, or a tensor is missing, has the wrong shape, holds a value
/// that is not finite, or belongs to no part of the model.
std::unique_ptr<LanguageModel> LoadModel(const std::filesystem::path& directory);

/// Reads tokenizer.json of the directory of `model`. Truncation and padding that the file asks for are not applied, and
/// a note on stderr says so. Throws std::runtime_error also when the model has no row for some id.
Tokenizer LoadTokenizer(const std::filesystem::path& directory, const LanguageModel& model);

/// The settings of a base model's special tokens: ids of its config.json, and files beside it. Read before training,
/// since a save must not fail, nor mix two models, because of what happens to the base meanwhile.
struct TokenSettings {
  TokenSettings(const std::filesystem::path& base);  // NOLINT: a directory stands for its settings

  std::map<std::string, nlohmann::json> ids;  // null for an id that the base does not name
  std::map<std::string, std::string> files;   // content by name
};

/// Writes config.json, model.safetensors and tokenizer.json, which Hugging Face's libraries read. A matrix that was
/// never trained is written in the type in which it is held, all else as F32, so nothing that was learned is rounded. A
/// fine-tuned model keeps the special tokens and the chat template of `base`, the directory it came from. Throws
/// std::runtime_error when a mapped file was changed since it was opened.
void SaveModel(const std::filesystem::path& directory, LanguageModel& model, const Tokenizer& tokenizer,
               const std::optional<TokenSettings>& base = std::nullopt);

}  // namespace ampgrad::models
