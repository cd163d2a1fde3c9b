#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "models/language_model.h"
#include "train/data/world.h"

namespace ampgrad::train {

/// Trains a model of a preset's shape on the stories of `world`, byte by byte; prints what it is and what its loss came
/// to. Throws as RunTraining does, and std::runtime_error when the steps do not fit into memory.
std::unique_ptr<models::LanguageModel> PretrainOnWorld(const World& world, const std::string& preset, Index steps,
                                                       uint64_t seed);

/// A world to study on disk: DIR/model, a model of the nano preset that was trained on its stories for a moment, and
/// DIR/questions.jsonl, every question about it with the answer. What is there already stays. Throws
/// std::runtime_error when it cannot be written.
void WriteWorld(const std::filesystem::path& directory, uint64_t seed);
inline constexpr const char* kWorldModel = "model";
inline constexpr const char* kWorldQuestions = "questions.jsonl";

}  // namespace ampgrad::train
