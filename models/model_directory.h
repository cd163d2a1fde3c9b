#pragma once

#include <filesystem>
#include <memory>
#include <optional>

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

/// Writes config.json, model.safetensors and tokenizer.json, which Hugging Face's libraries read. A matrix that was
/// never trained is written in the type in which it is held, all else as F32, so nothing that was learned is rounded. A
/// fine-tuned model keeps the special tokens and the chat template of `base`, the directory it came from.
void SaveModel(const std::filesystem::path& directory, LanguageModel& model, const Tokenizer& tokenizer,
               const std::optional<std::filesystem::path>& base = std::nullopt);

/// A directory that appears whole or not at all: files are written to a sibling directory. Commit renames it to
/// `target`; without Commit it is removed.
class StagedDirectory {
 public:
  /// Throws std::runtime_error when `target` exists and is not an empty directory, or when the directory that would
  /// hold it is not writable.
  explicit StagedDirectory(const std::filesystem::path& target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  /// The directory to write to. The first call creates it and its missing parents, so a run that is killed before it
  /// writes leaves nothing.
  const std::filesystem::path& path();
  void Commit();

 private:
  std::filesystem::path target_, staging_;
};

}  // namespace ampgrad::models
