#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "train/interrupt.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

void RequireFinite(double value, const char* what, Index step) {
  if (std::isfinite(value)) return;
  throw DivergedError("step " + std::to_string(step + 1) + ": the " + what + " is not finite (" +
                      (std::isnan(value) ? "NaN" : "infinite") + "); a smaller --lr may help");
}

}  // namespace

double LearningRate(const TrainOptions& o, Index step) {
  if (step < o.warmup) return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup);
  const double progress =
      static_cast<double>(step - o.warmup) / static_cast<double>(std::max<Index>(1, o.steps - o.warmup));
  return o.lr * (o.final_share + (1 - o.final_share) * 0.5 * (1 + std::cos(M_PI * std::min(1.0, progress))));
}

Var BatchLoss(models::LanguageModel& model, Tape& tape, const Batch& batch) {
  return ops::CrossEntropy(model.Logits(tape, batch.inputs, batch.length, batch.borders), batch.targets,
                           ops::CountTargets(batch.targets));
}

Trainer::Trainer(models::LanguageModel& model, const TrainOptions& options)
    : model_(model), options_(options), optimizer_(models::TrainableParameters(model), options.adamw) {
  if (optimizer_.slots().empty()) throw std::runtime_error("nothing to train: every parameter is frozen");
}

Trainer::~Trainer() { optimizer_.ZeroGrad(); }

StepResult Trainer::Step(const Batch& batch) {
  optimizer_.ZeroGrad();
  Tape tape;
  const Var loss = BatchLoss(model_, tape, batch);
  RequireFinite(loss.value[0], "loss", step_);
  tape.Backward(loss);
  const double norm = optimizer_.GradNorm();
  RequireFinite(norm, "gradient norm", step_);
  if (options_.clip > 0 && norm > options_.clip) optimizer_.ScaleGrads(options_.clip / norm);
  const double lr = LearningRate(options_, step_);
  optimizer_.Step(lr);
  return {++step_, loss.value[0], lr, norm, batch.tokens()};
}

double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches) {
  const Phase phase("evaluation");
  double sum = 0, count = 0;
  for (const Batch& batch : batches) {
    StopIfSignalled();
    const Index targets = ops::CountTargets(batch.targets);
    Tape tape(Tape::Mode::kInference);
    sum += static_cast<double>(targets) * BatchLoss(model, tape, batch).value[0];
    count += static_cast<double>(targets);
  }
  const double loss = sum / count;
  if (!std::isfinite(loss)) throw DivergedError("the held-out loss is not finite");
  return loss;
}

}  // namespace ampgrad::train
