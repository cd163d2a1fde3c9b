#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "tensor/kernels/kernels.h"
#include "train/progress.h"
#include "train/sgd.h"

namespace ampgrad::train {
namespace {

void RequireFinite(double value, const char* what, Index step) {
  if (std::isfinite(value)) return;
  throw DivergedError("step " + std::to_string(step + 1) + ": the " + what + " is not finite (" +
                      (std::isnan(value) ? "NaN" : "infinite") + "); a smaller --lr may help");
}

std::unique_ptr<Optimizer> MakeOptimizer(const std::vector<Param*>& params, const TrainOptions& options) {
  if (options.optimizer == OptimizerKind::kSgd) return std::make_unique<Sgd>(params, options.adamw.weight_decay);
  return std::make_unique<AdamW>(params, options.adamw);
}

// The parameters of a matrix that train.
std::vector<Param*> TrainedOf(models::LanguageModel& model, const std::string& name) {
  const nn::Parts parts = model.Parts();
  const auto found = std::ranges::find(parts.matrices, name, &nn::Matrix::name);
  if (found == parts.matrices.end()) throw std::invalid_argument("[freeze] the model has no matrix '" + name + "'");
  std::vector<Param*> trained;
  for (const nn::FormPart& part : (*found)->form->Parts()) {
    if (part.param->trainable) trained.push_back(part.param);
  }
  return trained;
}

// What is left of the way from the peak to the end: 1 at progress 0, 0 at progress 1.
double Left(Schedule schedule, double progress) {
  switch (schedule) {
    case Schedule::kConstant:
      return 1;
    case Schedule::kLinear:
      return 1 - progress;
    case Schedule::kCosine:
      break;
  }
  return 0.5 * (1 + std::cos(M_PI * progress));
}

}  // namespace

double LearningRate(const TrainOptions& o, Index step) {
  if (step < o.warmup) return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup);
  const double progress =
      static_cast<double>(step - o.warmup) / static_cast<double>(std::max<Index>(1, o.steps - o.warmup));
  const double share = o.lr_min && o.lr > 0 ? *o.lr_min / o.lr : 0.1;
  return o.lr * (share + (1 - share) * Left(o.schedule, std::min(1.0, progress)));
}

Trainer::Trainer(models::LanguageModel& model, const TrainOptions& options)
    : model_(model), options_(options), optimizer_(MakeOptimizer(models::TrainableParameters(model), options)) {
  if (optimizer_->slots().empty()) throw std::runtime_error("nothing to train: every parameter is frozen");
  for (const Freeze& freeze : options_.freeze) {
    if (freeze.step >= options_.steps) continue;
    for (Param* param : TrainedOf(model_, freeze.matrix)) freezes_.emplace_back(freeze.step, param);
  }
  if (freezes_.size() == optimizer_->slots().size()) {
    throw std::runtime_error("expected parameters that train to the last step, found that all are frozen before it");
  }
}

// A parameter that does not train gets no gradient, and the optimiser leaves it alone.
void Trainer::FreezeDue() {
  for (; frozen_ < freezes_.size() && freezes_[frozen_].first <= step_; ++frozen_) {
    freezes_[frozen_].second->trainable = false;
  }
}

Trainer::~Trainer() {
  optimizer_->ZeroGrad();
  for (size_t i = 0; i < frozen_; ++i) freezes_[i].second->trainable = true;
}

// The loss of a part of the step, which has `targets` targets in all. The gradients are added to those that are there.
double Trainer::Differentiate(const Batch& part, Index targets, Index shard) {
  constexpr uint64_t kNoiseStream = 0x6E6F697365;  // "noise"
  Tape tape;
  tape.set_noise(Random(options_.seed, kNoiseStream).Bits(static_cast<uint64_t>(step_ * options_.shards + shard)));
  const Var loss = BatchLoss(model_, tape, part, targets);
  RequireFinite(loss.value[0], "loss", step_);
  tape.Backward(loss);
  return loss.value[0];
}

// The gradient of each shard is made apart, and the shards are added in their order: the bits then depend neither on
// who makes a shard nor on when. P processes may each make every P-th of them, and add as each round is complete.
double Trainer::SumShards(const Batch& batch, Index targets) {
  std::vector<Tensor> sums(optimizer_->slots().size());
  double loss = 0;
  for (Index shard = 0; shard < options_.shards; ++shard) {
    const Batch part = batch.Shard(shard, options_.shards);
    if (part.tokens() == 0) continue;
    loss += Differentiate(part, targets, shard);
    for (size_t i = 0; i < sums.size(); ++i) {
      Tensor grad = std::exchange(optimizer_->slots()[i].param->grad, Tensor());
      if (sums[i].empty()) {
        sums[i] = std::move(grad);
      } else if (!grad.empty()) {
        kernels::AddInto(grad.data(), sums[i].data(), grad.size());
      }
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) optimizer_->slots()[i].param->grad = std::move(sums[i]);
  return loss;
}

StepResult Trainer::Step(const Batch& batch) {
  FreezeDue();
  optimizer_->ZeroGrad();
  const Index targets = ops::CountTargets(batch.targets);
  const double loss = options_.shards == 1 ? Differentiate(batch, targets, 0) : SumShards(batch, targets);
  const double norm = optimizer_->GradNorm();
  RequireFinite(norm, "gradient norm", step_);
  if (options_.clip > 0 && norm > options_.clip) optimizer_->ScaleGrads(options_.clip / norm);
  const double lr = LearningRate(options_, step_);
  optimizer_->Step(lr);
  return {++step_, loss, lr, norm, batch.tokens()};
}

double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches) {
  const Phase phase("evaluation");
  double sum = 0, count = 0;
  for (const Batch& batch : batches) {
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
