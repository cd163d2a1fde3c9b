#pragma once

#include <functional>

#include "train/trainer.h"

namespace ampgrad::train {

inline TrainOptions Options(Index steps, double lr) {
  TrainOptions options;
  options.steps = steps;
  options.lr = lr;
  return options;
}

/// Trains to the end; `observe`, unless it is empty, sees every step.
inline void Train(models::LanguageModel& model, const std::function<Batch(Index)>& batches, const TrainOptions& options,
                  const std::function<void(const StepResult&)>& observe = nullptr) {
  Trainer trainer(model, options);
  while (!trainer.Done()) {
    const StepResult result = trainer.Step(batches(trainer.step()));
    if (observe) observe(result);
  }
}

}  // namespace ampgrad::train
