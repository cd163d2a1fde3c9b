#include "train/memory_plan.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "train/report/format.h"

namespace ampgrad::train {
namespace {

constexpr Index kNumber = sizeof(Real);

// Numbers that an optimiser keeps for each that trains.
Index MomentsOf(OptimizerKind optimizer) { return optimizer == OptimizerKind::kSgd ? 0 : 2; }

// For each interval of a step of `tokens` tokens: the largest number of live bytes above those before the step.
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
  tape.set_watch(note);
  tape.set_noise(0);  // dropout holds what it keeps
  tape.Backward(BatchLoss(model, tape, batch));
  note();
  for (Param* param : models::TrainableParameters(model)) param->grad = Tensor();
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

MemoryPlan PlanMemory(models::LanguageModel& model, const ct::Basis* basis, const TrainOptions& options,
                      bool keep_best) {
  const Index tokens = std::clamp<Index>(model.context() / 2, 1, 16);
  IntervalPeaks(model, tokens);  // the products allocate their work space, so that it counts as held
  const std::vector<Param*> trained = models::TrainableParameters(model);
  const Index trained_bytes = models::CountParameters(trained) * kNumber;
  MemoryPlan plan;
  for (const nn::Matrix* matrix : model.Parts().matrices) plan.mapped += matrix->form->MappedBytes();
  if (basis) {
    plan.basis = (2 * basis->k() + 2) * basis->width() * kNumber;  // B and μ, and B' = (B; μ)
    plan.scores = trained_bytes;
  }
  plan.weights = Tensor::LiveBytes() - plan.basis - plan.scores;
  plan.moments = MomentsOf(options.optimizer) * trained_bytes;
  plan.sums = options.shards > 1 ? models::CountParameters(trained) * static_cast<Index>(sizeof(int64_t)) : 0;
  plan.best = keep_best ? trained_bytes : 0;
  plan.shards = options.shards;
  plan.logits = model.vocabulary() * kNumber;
  const std::vector<double> once = IntervalPeaks(model, tokens), twice = IntervalPeaks(model, 2 * tokens);
  for (size_t i = 0; i < once.size(); ++i) {
    plan.per_token.push_back((twice[i] - once[i]) / static_cast<double>(tokens));
    plan.fixed.push_back(2 * once[i] - twice[i]);
  }
  return plan;
}

void RequireMemory(const MemoryPlan& plan, Index batch, Index length, Index available) {
  const Index most = plan.Shard(batch) * length, missing = plan.Missing(most);
  if (missing <= available) return;
  Index fits = 0, too_many = most;  // tokens of a shard
  while (too_many - fits > 1) {
    const Index middle = fits + (too_many - fits) / 2;
    (plan.Missing(middle) <= available ? fits : too_many) = middle;
  }
  const std::string advice =
      fits == 0 ? "not even one token fits"
                : "--batch " + std::to_string(std::max<Index>(1, fits / length - plan.Beyond()) * plan.shards) +
                      " --length " + std::to_string(std::min(length, fits)) + " would fit";
  throw std::runtime_error("training needs " + Megabytes(missing) + " more memory for --batch " +
                           std::to_string(batch) + " --length " + std::to_string(length) + ", found " +
                           Megabytes(available) + " available; " + advice);
}

namespace {

bool TrainsAll(const MethodSettings& method) { return method.scope.all_layers && method.scope.targets.empty(); }

// How many numbers full SFT trains, but for a head beside a choice of layers.
Index NumbersOfFull(models::LanguageModel& model, const MethodSettings& method) {
  if (TrainsAll(method)) return models::CountParameters(model);
  Index numbers = 0;
  for (const nn::Matrix* matrix : MatricesInScope(model, method.scope)) numbers += matrix->StoredShape().size();
  return numbers;
}

}  // namespace

std::shared_ptr<const ct::Basis> EmptyBasis(const MethodSettings& method, Index width) {
  if (!method.NeedsBasis()) return nullptr;
  const Index k = method.method == "amplitude" ? method.k : method.rank;
  return std::make_shared<const ct::Basis>(ct::Basis{Tensor({k, width}), Tensor({width}), {}, 0});
}

Index BytesToPrepare(models::LanguageModel& model, const MethodSettings& method, OptimizerKind optimizer) {
  if (method.method != "full") return 0;
  return (2 + MomentsOf(optimizer)) * NumbersOfFull(model, method) * kNumber;
}

Index NumbersToWiden(models::LanguageModel& model, const MethodSettings& method) {
  if (method.method != "full") return 0;
  Index numbers = 0;
  for (const nn::Matrix* matrix : TrainsAll(method) ? model.Parts().matrices : MatricesInScope(model, method.scope)) {
    const bool in_blocks = !matrix->HasParameters() && HasBlocks(matrix->form->Merged().type());
    if (in_blocks) numbers += matrix->StoredShape().size();
  }
  return numbers;
}

std::string DescribeTrained(const std::string& label, models::LanguageModel& prepared, Index widened) {
  const Index trained = models::CountParameters(models::TrainableParameters(prepared));
  const std::string text = label + ": " + std::to_string(trained) + " parameters are trained";
  return widened == 0 ? text : text + ", " + std::to_string(widened) + " of them widened from blocks";
}

void RequireMemoryToPrepare(models::LanguageModel& model, const MethodSettings& method, Index available,
                            OptimizerKind optimizer) {
  const Index bytes = BytesToPrepare(model, method, optimizer);
  if (bytes <= available) return;
  throw std::runtime_error("training " + std::to_string(NumbersOfFull(model, method)) + " parameters needs " +
                           Megabytes(bytes) + " of memory for them alone, found " + Megabytes(available) +
                           " available");
}

void RequireMemoryToGenerate(models::LanguageModel& model, Index prompt, Index positions, Index available,
                             const std::string& option) {
  constexpr Index kTokens = 16;
  const auto peak = [&](Index tokens) {
    nn::KvCache cache = model.MakeCache(tokens);
    const Index before = Tensor::LiveBytes();
    Tensor::ResetPeakBytes();
    model.NextLogits(std::vector<int>(tokens, 0), cache);
    return Tensor::PeakBytes() - before;
  };
  const Index before = Tensor::LiveBytes();
  const nn::KvCache one = model.MakeCache(1);
  Index bytes = (Tensor::LiveBytes() - before) * positions;  // of the cache
  // Reading a short prompt takes less than the smallest model.
  if (prompt > 2 * kTokens) {
    peak(kTokens);  // the products allocate their work space, so that it counts as held
    const Index once = peak(kTokens), twice = peak(2 * kTokens), reading = once + (twice - once) / kTokens * prompt;
    bytes += reading + GapsOf(reading);
  }
  if (bytes <= available) return;
  throw std::runtime_error("generation needs " + Megabytes(bytes) + " more memory for a prompt of " +
                           std::to_string(prompt) + " tokens and a context of " + std::to_string(positions) +
                           ", found " + Megabytes(available) + " available; a smaller " + option + " may fit");
}

std::string Megabytes(Index bytes) { return report::Format("%.1f MB", static_cast<double>(bytes) * 1e-6); }

std::string ToString(const MemoryPlan& plan, Index tokens) {
  const Index logits = plan.logits * tokens;
  std::string text = "weights " + Megabytes(plan.weights);
  const auto add = [&](const std::string& what, Index bytes) {
    if (bytes > 0) text += " + " + what + " " + Megabytes(bytes);
  };
  add("basis", plan.basis);
  add("scores", plan.scores);
  add("moments", plan.moments);
  add("sums of the shards' gradients", plan.sums);
  add("best parameters", plan.best);
  add("activations of " + std::to_string(tokens) + " tokens", plan.Step(tokens) - logits);
  add("logits", logits);
  text +=
      " = " + Megabytes(plan.Total(tokens)) + ", and gaps of up to " + Megabytes(plan.Gaps(tokens)) + " between them";
  if (plan.mapped > 0) text += ", beside " + Megabytes(plan.mapped) + " mapped from files";
  return text;
}

}  // namespace ampgrad::train
