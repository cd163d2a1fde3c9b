#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/language_model.h"
#include "train/adamw.h"
#include "train/data/batch_loss.h"
#include "train/ranks/ranks.h"
#include "train/shard_sum.h"

namespace ampgrad::train {

/// A loss or a gradient norm is not finite.
class DivergedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How the learning rate goes from its peak to its end.
enum class Schedule { kCosine, kLinear, kConstant };
enum class OptimizerKind { kAdamW, kSgd };

/// A matrix that stops training when `step` steps are done. Its parameters then stay as they are, to the bit.
struct Freeze {
  Index step = 0;
  std::string matrix;
};

struct TrainOptions {
  Index steps = 100;
  double lr = 1e-3;              // peak learning rate
  Index warmup = 0;              // steps of linear rise
  std::optional<double> lr_min;  // at the end of the schedule; default: a tenth of lr
  Schedule schedule = Schedule::kCosine;
  double clip = 1;    // largest norm of all gradients together; 0: no clipping
  uint64_t seed = 1;  // of what a step draws at random: dropout
  Index shards = 1;   // parts that a step's sequences are cut into; one is in memory at a time
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  AdamWOptions adamw;               // of which SGD reads the weight decay
  std::vector<Freeze> freeze = {};  // in the order of the steps
  Ranks* ranks = &Alone();          // that share the shards; each must have one
};

/// Learning rate of step 0, 1, …: a linear rise over `warmup` steps, then from lr to lr_min by half a cosine or in a
/// straight line, or lr throughout.
double LearningRate(const TrainOptions& options, Index step);

/// What a step reports.
struct StepResult {
  Index step;            // counts from 1
  double loss;           // of the step's batch, before the step: nats, the mean over its targets
  double lr, grad_norm;  // ‖·‖₂ of all gradients together, before clipping
  Index tokens;          // of the batch
  bool signalled;        // of several ranks: one had noted a signal by the end of its backward pass; the same for all
};

/// A training run: everything that decides its next step, and nothing else. The same batches give the same steps, with
/// bits that depend on the number of shards and not on that of ranks. All ranks take the same steps on the same
/// batches, of which each makes its own shards.
class Trainer {
 public:
  /// Trains the trainable parameters of `model`, which must outlive it. Throws std::runtime_error when there is none,
  /// when all of them are frozen before the last step, or when there are more ranks than shards, and
  /// std::invalid_argument for a matrix that the model lacks.
  Trainer(models::LanguageModel& model, const TrainOptions& options);
  /// Frees the gradients, and what was frozen is trainable again.
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Forward, backward, clip, the optimiser's step. Throws DivergedError when the loss or the gradient norm is not
  /// finite, before the parameters change: on all ranks the same.
  StepResult Step(const Batch& batch);

  const TrainOptions& options() const { return options_; }
  /// Steps taken so far. The next one has the learning rate LearningRate(options(), step()).
  Index step() const { return step_; }
  bool Done() const { return step_ >= options_.steps; }
  /// The parameters that train, and the optimiser's state of each.
  const Optimizer& optimizer() const { return *optimizer_; }

  /// For a run that goes on from its state on disk: the optimiser, whose slots are set beside this, and the step.
  Optimizer& optimizer() { return *optimizer_; }
  void GoOnFrom(Index step, int exponent) {
    step_ = step;
    exponent_ = exponent;
  }
  /// Every |gradient| of the next step is thought to be below 2^exponent. If one is not, the step is made again. It
  /// decides how the sums of shards are rounded.
  int exponent() const { return exponent_; }

 private:
  void FreezeDue();
  double Differentiate(const Batch& part, Index targets, Index shard);
  double SumShards(const Batch& batch, Index targets);

  models::LanguageModel& model_;
  TrainOptions options_;
  std::unique_ptr<Optimizer> optimizer_;
  Index step_ = 0;
  int exponent_ = 0;
  ShardSum sum_;
  bool signalled_ = false;
  std::vector<std::pair<Index, Param*>> freezes_;  // before which step a parameter stops, in order
  size_t frozen_ = 0;                              // how many of them have
};

/// Throws std::runtime_error when the parameters that `trainer` trains are not the same on all its ranks, to the bit.
void RequireSameTrained(const Trainer& trainer);

/// Mean loss over all targets of `batches`, in nats, without recording. Ranks share the batches; the bits are those of
/// one. Throws DivergedError when it is not finite, as without any batch, and std::invalid_argument for a batch without
/// a target.
double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches, Ranks& ranks = Alone());

}  // namespace ampgrad::train
