#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

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
  return ops::CrossEntropy(model.Logits(tape, batch.inputs, batch.length), batch.targets);
}

double Train(models::LanguageModel& model, const std::function<Batch(Index)>& batches, const TrainOptions& options,
             const Observer& observer) {
  using Clock = std::chrono::steady_clock;
  AdamW optimizer(models::TrainableParams(model), options.adamw);
  if (optimizer.params().empty()) throw std::runtime_error("nothing to train: every parameter is frozen");
  const auto begin = Clock::now();
  double seconds = 0, tokens = 0;
  for (Index step = 0; step < options.steps; ++step) {
    const Batch batch = batches(step);
    optimizer.ZeroGrad();
    Tape tape;
    const Var loss = BatchLoss(model, tape, batch);
    RequireFinite(loss.value[0], "loss", step);
    tape.Backward(loss);
    const double norm = optimizer.GradNorm();
    RequireFinite(norm, "gradient norm", step);
    if (options.clip > 0 && norm > options.clip) optimizer.ScaleGrads(options.clip / norm);
    const double lr = LearningRate(options, step);
    optimizer.Step(lr);

    tokens += static_cast<double>(batch.tokens());
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (observer) observer({step + 1, options.steps, loss.value[0], lr, norm, seconds, tokens / seconds});
  }
  for (Param* param : optimizer.params()) param->grad = Tensor();
  return options.steps > 0 ? seconds / static_cast<double>(options.steps) : 0;
}

double Evaluate(models::LanguageModel& model, const std::vector<Batch>& batches) {
  double sum = 0, count = 0;
  for (const Batch& batch : batches) {
    const auto targets =
        std::count_if(batch.targets.begin(), batch.targets.end(), [](int t) { return t != ops::kIgnored; });
    Tape tape(Tape::Mode::kInference);
    sum += static_cast<double>(targets) * BatchLoss(model, tape, batch).value[0];
    count += static_cast<double>(targets);
  }
  const double loss = sum / count;
  if (!std::isfinite(loss)) throw DivergedError("the held-out loss is not finite");
  return loss;
}

}  // namespace ampgrad::train
