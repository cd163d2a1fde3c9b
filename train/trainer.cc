#include "train/trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/io/digest.h"
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
  if (options_.shards < options_.ranks->size()) {
    throw std::runtime_error("expected a shard of the step for each of " + std::to_string(options_.ranks->size()) +
                             " ranks, found --shards " + std::to_string(options_.shards));
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

// The loss of a part of the step, which has `targets` targets in all. The gradients are added to those that are there,
// unless the loss is not finite.
double Trainer::Differentiate(const Batch& part, Index targets, Index shard) {
  constexpr uint64_t kNoiseStream = 0x6E6F697365;  // "noise"
  Tape tape;
  tape.set_noise(Random(options_.seed, kNoiseStream).Bits(static_cast<uint64_t>(step_ * options_.shards + shard)));
  const Var loss = BatchLoss(model_, tape, part, targets);
  if (std::isfinite(loss.value[0])) tape.Backward(loss);
  return loss.value[0];
}

// Each rank makes its own shards. A step whose gradients are larger than the step before let expect is made again. What
// is not finite is found by all ranks alike.
double Trainer::SumShards(const Batch& batch, Index targets) {
  const Share own = ShareOf(*options_.ranks, options_.shards);
  while (true) {
    sum_.Begin(optimizer_->slots(), options_.shards, exponent_);
    for (Index shard = own.begin; shard < own.end; ++shard) {
      const Batch part = batch.Shard(shard, options_.shards);
      if (part.tokens() > 0) sum_.Add(shard, Differentiate(part, targets, shard));
    }
    const ShardSum::Total total = sum_.Over(*options_.ranks);
    RequireFinite(total.loss, "loss", step_);
    RequireFinite(total.largest, "gradient norm", step_);
    const bool fits = total.largest < std::ldexp(1.0, exponent_);
    if (total.largest > 0) exponent_ = NextExponent(total.largest);
    if (!fits) continue;
    signalled_ = total.signalled;
    sum_.Return();
    return total.loss;
  }
}

StepResult Trainer::Step(const Batch& batch) {
  FreezeDue();
  optimizer_->ZeroGrad();
  const Index targets = ops::CountTargets(batch.targets);
  const double loss = options_.shards == 1 ? Differentiate(batch, targets, 0) : SumShards(batch, targets);
  RequireFinite(loss, "loss", step_);
  const double norm = optimizer_->GradNorm();
  RequireFinite(norm, "gradient norm", step_);
  if (options_.clip > 0 && norm > options_.clip) optimizer_->ScaleGrads(options_.clip / norm);
  const double lr = LearningRate(options_, step_);
  optimizer_->Step(lr);
  return {++step_, loss, lr, norm, batch.tokens(), signalled_};
}

void RequireSameTrained(const Trainer& trainer) {
  Ranks& ranks = *trainer.options().ranks;
  if (ranks.size() == 1) return;
  io::Digest digest;
  for (const Optimizer::Slot& slot : trainer.optimizer().slots()) {
    digest.Add(slot.param->value.data(), static_cast<size_t>(slot.param->value.size()) * sizeof(Real));
  }
  RequireSame(ranks, {{"the hash of what is trained after step " + std::to_string(trainer.step()), digest.Text()}});
}

double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches, Ranks& ranks) {
  const Phase phase("evaluation");
  const Share own = ShareOf(ranks, static_cast<int64_t>(batches.size()));
  std::vector<int64_t> losses(batches.size());  // their bits; those of other ranks are zero
  for (int64_t i = own.begin; i < own.end; ++i) {
    Tape tape(Tape::Mode::kInference);
    losses[i] = std::bit_cast<int64_t>(static_cast<double>(BatchLoss(model, tape, batches[i]).value[0]));
  }
  ranks.Sum(losses);
  double sum = 0, count = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const Index targets = ops::CountTargets(batches[i].targets);
    sum += static_cast<double>(targets) * std::bit_cast<double>(losses[i]);
    count += static_cast<double>(targets);
  }
  const double loss = sum / count;
  if (!std::isfinite(loss)) throw DivergedError("the held-out loss is not finite");
  return loss;
}

}  // namespace ampgrad::train
