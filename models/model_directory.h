#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "models/kept_files.h"
#include "models/language_model.h"
#include "models/tokenizer/tokenizer.h"

namespace ampgrad::models {

/// Reads a Hugging Face model directory: config.json and the weights (`WeightFiles`, whose notes go to stderr).
/// Matrices stay in the mapped file, frozen, until they are trained; biases and norms are read as Real. Memory of their
/// size is taken only once all shapes agree. Of links, only those of `io::OwnFile` are followed. Throws
/// std::runtime_error in one sentence when a file is missing or malformed, the architecture is not supported, or a
/// tensor is missing, has the wrong shape, holds a value that is not finite, or belongs to no part of the model.
std::unique_ptr<LanguageModel> LoadModel(const std::filesystem::path& directory);

/// Reads tokenizer.json of the directory of `model`. Truncation and padding that the file asks for are not applied, and
/// a note on stderr says so; another names tokens for which the model has no row (`Tokenizer::WithRows`).
Tokenizer LoadTokenizer(const std::filesystem::path& directory, const LanguageModel& model);

/// Throws as LoadTokenizer does unless `directory`, which has no tokenizer.json, is a model without any tokenizer.
void RequireNoTokenizer(const std::filesystem::path& directory);

/// eos_token_id of generation_config.json; none without such a file.
std::vector<int> GenerationEnds(const std::filesystem::path& directory);

/// The tokens at which generation stops: those of the model itself (config.json), eos_token_id of
/// generation_config.json, and eos_token of tokenizer_config.json.
std::vector<int> StopTokens(const std::filesystem::path& directory, const LanguageModel& model,
                            const Tokenizer& tokenizer);

/// Writes config.json and model.safetensors, which Hugging Face's libraries read. A matrix that was never trained is
/// written in the type in which it is held, all else as F32, so nothing that was learned is rounded. A fine-tuned model
/// has `kept` from the directory it came from. Throws std::runtime_error when a mapped file was changed since it was
/// opened.
void SaveModel(const std::filesystem::path& directory, LanguageModel& model, const KeptFiles& kept);
/// What a conversation with the model needs beside its weights: config.json, tokenizer.json, and `kept`.
void SaveTexts(const std::filesystem::path& directory, LanguageModel& model, const Tokenizer& tokenizer,
               const KeptFiles& kept);
/// Both: a whole model directory.
void SaveModel(const std::filesystem::path& directory, LanguageModel& model, const Tokenizer& tokenizer,
               const KeptFiles& kept = {});

}  // namespace ampgrad::models
