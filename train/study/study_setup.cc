#include "train/study/study_setup.h"

#include <algorithm>

#include "train/freezing.h"
#include "train/study/hidden_cache.h"

namespace ampgrad::train {
namespace {

// Seed s trains on the batches from step s times this on; searches on those of seed 0.
constexpr Index kStepsApart = 1'000'000;

Data Shared(const Data& data, const StudyOptions& options) {
  const Scope& scope = options.arms.front().method.scope;
  if (options.directory.empty() || scope.all_layers || scope.first <= 0) return data;
  const auto cache = [&] {
    return std::make_shared<HiddenCache>(HiddenCache::Limits{.block = scope.first, .directory = options.directory});
  };
  return WithHidden(data, cache(), cache());
}

Index LargestK(const StudyOptions& options) {
  Index largest = 1;
  for (const Arm& arm : options.arms) {
    const bool amplitude = arm.method.method == "amplitude" || arm.kind == ArmKind::kRebuilt;
    largest = std::max(largest, amplitude ? arm.method.k : arm.method.NeedsBasis() ? arm.method.rank : 1);
  }
  return largest;
}

Arm Seeded(const Arm& arm, uint64_t seed) {
  Arm seeded = arm;
  seeded.method.seed = seed;
  return seeded;
}

}  // namespace

StudySetup::StudySetup(models::LanguageModel& base, const Data& data, const StudyOptions& options)
    : base_(base),
      data_(Shared(data, options)),
      options_(options),
      bases_(base, LargestK(options), options.sample, options.arms.front().method.rows) {}

Batch StudySetup::BatchOf(const Arm& arm, uint64_t seed, Index step) const {
  const Index first = static_cast<Index>(seed) * kStepsApart;
  if (arm.samples == 0) return data_.train(first + step);
  return data_.train(first + step % std::max<Index>(1, arm.samples / data_.train(first).sequences()));
}

const Bases& StudySetup::BasesOf(const Arm& arm, uint64_t seed) {
  std::vector<Batch> batches;
  if (arm.method.basis == ct::BasisKind::kGradient) {
    for (Index i = 0; i < options_.gradient_batches; ++i) batches.push_back(BatchOf(arm, seed, i));
  }
  return bases_.Of(Seeded(arm, seed), seed, batches);
}

std::unique_ptr<models::LanguageModel> StudySetup::Prepared(const Arm& arm, uint64_t seed) {
  std::unique_ptr<models::LanguageModel> model = base_.Clone();
  PrepareArm(*model, Seeded(arm, seed), BasesOf(arm, seed));
  return model;
}

TrainOptions StudySetup::OptionsOf(const Arm& arm, Index steps, uint64_t seed, double lr,
                                   models::LanguageModel& prepared) {
  TrainOptions train = options_.train;
  if (steps > 0) {
    train.warmup = train.warmup * steps / train.steps;
    train.steps = steps;
  }
  train.lr = lr;
  train.seed = seed;
  if (!arm.freeze.empty()) {
    const auto order = OrderToFreeze(prepared, arm.freeze, Seeded(arm, seed).method, BasesOf(arm, seed));
    train.freeze = FreezeInParts(order, train.steps);
  }
  return train;
}

}  // namespace ampgrad::train
