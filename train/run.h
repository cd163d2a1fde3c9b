#pragma once

#include <string>

#include "models/language_model.h"
#include "train/data/batch.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace ampgrad::train {

/// Trains `model` on the batches of `data` for all steps. Shows progress on stderr and writes every step to `log`, both
/// under `label`. Returns the mean seconds per step. Throws as Trainer does, and Interrupted after the step in which
/// the program noted a signal.
double RunTraining(models::LanguageModel& model, const Data& data, const TrainOptions& options,
                   const std::string& label, RunLog& log);

}  // namespace ampgrad::train
