#pragma once

#include <functional>
#include <stdexcept>
#include <vector>

#include "models/language_model.h"
#include "train/adamw.h"
#include "train/data/batch.h"

namespace ampgrad::train {

/// A loss or a gradient norm is no longer finite.
class DivergedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct TrainOptions {
  Index steps = 100;
  double lr = 1e-3;          // peak learning rate
  Index warmup = 0;          // steps of linear rise
  double final_share = 0.1;  // of the peak, at the end of the cosine
  double clip = 1;           // largest norm of all gradients together; 0: no clipping
  AdamWOptions adamw;
};

/// Learning rate of step 0, 1, …: a linear rise over `warmup` steps, then half a cosine down to final_share·lr.
double LearningRate(const TrainOptions& options, Index step);

/// What is known after a step.
struct StepReport {
  Index step, steps;         // step counts from 1
  double loss;               // of the step's batch, before the step
  double lr, grad_norm;      // the norm before clipping
  double seconds;            // since training began
  double tokens_per_second;  // over the run so far
};

using Observer = std::function<void(const StepReport&)>;

/// Trains the trainable parameters of `model` and returns the mean seconds per step. Throws DivergedError when a loss or a
/// gradient norm is not finite, before it can reach the parameters; std::runtime_error when nothing is trainable.
double Train(models::LanguageModel& model, const std::function<Batch(Index)>& batches, const TrainOptions& options,
             const Observer& observer);

/// The loss of one batch on a tape.
Var BatchLoss(models::LanguageModel& model, Tape& tape, const Batch& batch);

/// Mean loss over all targets of `batches`, without recording. Throws DivergedError when it is not finite.
double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches);

}  // namespace ampgrad::train
