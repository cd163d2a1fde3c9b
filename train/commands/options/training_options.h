#pragma once

#include <vector>

#include "train/commands/options/options.h"
#include "train/trainer.h"

/// How a run steps: its options, and how they are read.
namespace ampgrad::train {

/// Steps, batch, learning-rate schedule and seed of a training run.
std::vector<OptionSpec> TrainingOptionSpecs(const char* steps, const char* batch, const char* weight_decay);
/// --log, of a run that is not a line of a study.
OptionSpec LogOptionSpec();
/// The run that they describe; lr is left at its default.
TrainOptions ReadTrainOptions(const Options& options);

}  // namespace ampgrad::train
