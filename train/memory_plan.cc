#include "train/memory_plan.h"

#include <algorithm>

#include "train/format.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

// The largest number of bytes above those of before the step, in each interval of a step of `tokens` tokens.
std::vector<double> IntervalPeaks(models::LanguageModel& model, Index tokens) {
  const Batch batch{tokens, std::vector<int>(tokens, 0), std::vector<int>(tokens, 0)};
  const Index before = Tensor::LiveBytes();
  std::vector<double> peaks;
  const auto note = [&] {
    peaks.push_back(static_cast<double>(Tensor::PeakBytes() - before));
    Tensor::ResetPeakBytes();
  };
  Tensor::ResetPeakBytes();
  Tape tape;
  tape.Backward(BatchLoss(model, tape, batch), [&](int, const Tensor&) { note(); });
  note();
  for (Param* param : models::TrainableParams(model)) param->grad = Tensor();
  return peaks;
}

}  // namespace

Index MemoryPlan::Step(Index tokens) const {
  double most = 0;
  for (size_t i = 0; i < fixed.size(); ++i) {
    most = std::max(most, fixed[i] + per_token[i] * static_cast<double>(tokens));
  }
  return static_cast<Index>(most);
}

MemoryPlan PlanMemory(models::LanguageModel& model) {
  const std::vector<Param*> trained = models::TrainableParams(model);
  MemoryPlan plan{Tensor::LiveBytes(), 2 * models::CountNumbers(trained) * static_cast<Index>(sizeof(Real)), {}, {}};
  const Index tokens = std::clamp<Index>(model.context() / 2, 1, 16);
  const std::vector<double> once = IntervalPeaks(model, tokens), twice = IntervalPeaks(model, 2 * tokens);
  for (size_t i = 0; i < once.size(); ++i) {
    plan.per_token.push_back((twice[i] - once[i]) / static_cast<double>(tokens));
    plan.fixed.push_back(2 * once[i] - twice[i]);
  }
  return plan;
}

std::string Megabytes(Index bytes) { return Format("%.1f MB", static_cast<double>(bytes) * 1e-6); }

std::string ToString(const MemoryPlan& plan, Index tokens) {
  return "weights " + Megabytes(plan.held) + " + moments " + Megabytes(plan.moments) + " + step of " +
         std::to_string(tokens) + " tokens " + Megabytes(plan.Step(tokens)) + " = " + Megabytes(plan.Total(tokens));
}

}  // namespace ampgrad::train
