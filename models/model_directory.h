#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "models/language_model.h"
#include "models/tokenizer/tokenizer.h"

namespace ampgrad::models {

/// Reads a Hugging Face model directory: config.json and the weights (`WeightFiles`, whose notes go to stderr). Matrices stay where they lie in
/// the file, frozen, until they are trained; biases and norms are read in Real. Throws std::runtime_error in one sentence when a file is missing or malformed, the architecture unsupported, a tensor missing, of another shape, left over, or
/// not finite. Names may carry the checkpoint's prefix or not, but not both.
std::unique_ptr<LanguageModel> LoadModel(const std::filesystem::path& directory);

/// Reads tokenizer.json of the directory of `model`. Truncation and padding that the file asks for are not applied, and a note
/// on stderr says so. Throws std::runtime_error also when it has ids for which the model has no row.
Tokenizer LoadTokenizer(const std::filesystem::path& directory, const LanguageModel& model);

/// Writes config.json, model.safetensors and tokenizer.json, which Hugging Face's libraries read. A matrix that never
/// trained is written in the type in which it is held, all else as F32: nothing that was learned is rounded. A model that was fine-tuned keeps what `base`, the directory it came from, says of its special tokens and its chat template.
void SaveModel(const std::filesystem::path& directory, LanguageModel& model, const Tokenizer& tokenizer,
               const std::optional<std::filesystem::path>& base = std::nullopt);

/// A directory that appears whole or not at all: files are written to a sibling, which takes the place of `target` on
/// Commit and is removed otherwise.
class StagedDirectory {
 public:
  /// Throws std::runtime_error when `target` is there already, unless it is an empty directory, or the directory it
  /// would stand in is not writable.
  explicit StagedDirectory(const std::filesystem::path& target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  /// Where to write. The directory, and parents that are missing, come into being with the first call, so that a run that
  /// is killed before it writes leaves nothing.
  const std::filesystem::path& path();
  void Commit();

 private:
  std::filesystem::path target_, staging_;
};

}  // namespace ampgrad::models
