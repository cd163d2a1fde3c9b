#pragma once

#include <stdexcept>
#include <vector>

#include "models/language_model.h"
#include "train/adamw.h"
#include "train/data/batch.h"

namespace ampgrad::train {

/// A loss or a gradient norm is not finite.
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

/// What a step reports.
struct StepResult {
  Index step;            // counts from 1
  double loss;           // of the step's batch, before the step
  double lr, grad_norm;  // the norm before clipping
  Index tokens;          // of the batch
};

/// A training run: everything that decides its next step, and nothing else. The same batches give the same steps.
class Trainer {
 public:
  /// Trains the trainable parameters of `model`, which must outlive it. Throws std::runtime_error when there is none.
  Trainer(models::LanguageModel& model, const TrainOptions& options);
  /// Frees the gradients.
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Forward, backward, clip, AdamW. Throws DivergedError when the loss or the gradient norm is not finite, before the
  /// parameters change.
  StepResult Step(const Batch& batch);

  const TrainOptions& options() const { return options_; }
  /// Steps taken so far. The next one has the learning rate LearningRate(options(), step()).
  Index step() const { return step_; }
  bool Done() const { return step_ >= options_.steps; }
  /// The parameters that train, and the optimiser's state of each.
  const AdamW& optimizer() const { return optimizer_; }

 private:
  models::LanguageModel& model_;
  TrainOptions options_;
  AdamW optimizer_;
  Index step_ = 0;
};

/// The loss of one batch on a tape: the mean over its targets. Throws std::invalid_argument when it has none.
Var BatchLoss(models::LanguageModel& model, Tape& tape, const Batch& batch);

/// Mean loss over all targets of `batches`, without recording. Throws DivergedError when it is not finite.
double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches);

}  // namespace ampgrad::train
