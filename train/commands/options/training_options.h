#pragma once

#include <vector>

#include "train/commands/options/options.h"
#include "train/ranks/ranks.h"
#include "train/trainer.h"

/// How a run steps: its options, and how they are read.
namespace ampgrad::train {

/// Steps, batch, learning-rate schedule and seed of a training run.
std::vector<OptionSpec> TrainingOptionSpecs(const char* steps, const char* batch, const char* weight_decay);
/// --log, of a run that is not a line of a study.
OptionSpec LogOptionSpec();
/// The options of a run that the ranks of this program make together. It has as many shards as there are ranks where no
/// option, and no run that goes on, says how many.
Options WithShards(const Options& options);
/// Throws std::runtime_error when an option that a number depends on is not the same on all ranks of this program.
void RequireSameOptions(const Options& options);
/// The run that they describe; lr is left at its default.
TrainOptions ReadTrainOptions(const Options& options);

}  // namespace ampgrad::train
