#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options.h"
#include "train/trainer.h"

/// Options that several commands share: their texts, and how they are read.
namespace ampgrad::train {

/// models::LoadModel, shown as it goes.
std::unique_ptr<models::LanguageModel> ReadModel(const std::filesystem::path& directory);

/// Steps, batch, learning-rate schedule, seed and log of a training run.
std::vector<OptionSpec> TrainingOptionSpecs(const char* steps, const char* batch, const char* weight_decay);
/// The run that they describe; lr is left at its default.
TrainOptions ReadTrainOptions(const Options& options);

/// The lists, one after another.
std::vector<OptionSpec> Join(std::initializer_list<std::vector<OptionSpec>> lists);

}  // namespace ampgrad::train
