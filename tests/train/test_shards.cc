#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/train/training.h"
#include "train/memory_plan.h"

/// A step whose sequences are cut into shards is the step of the whole batch.
namespace ampgrad::train {
namespace {

constexpr double kShardsApart = sizeof(Real) == sizeof(double) ? 1e-12 : 2e-5;

// Seven sequences, of which each has another number of targets, and the third none.
Batch Uneven() {
  const Random random(17, 4);
  Batch batch{12, {}, {}};
  for (Index i = 0; i < 7 * 12; ++i) {
    const Index sequence = i / 12, position = i % 12;
    const bool learned = sequence != 2 && position > sequence;
    batch.inputs.push_back(static_cast<int>(random.Below(2 * i, 256)));
    batch.targets.push_back(learned ? static_cast<int>(random.Below(2 * i + 1, 256)) : ops::kIgnored);
  }
  return batch;
}

struct ShardedStep {
  StepResult result;
  std::vector<Tensor> grads;
};

// One step of a rate of zero, which leaves the gradients as they were before the clipping.
ShardedStep StepWith(Index shards) {
  models::Gpt model = Nano();
  TrainOptions options = OptionsOf(1, 0);
  options.clip = 0;
  options.shards = shards;
  Trainer trainer(model, options);
  ShardedStep outcome{trainer.Step(Uneven()), {}};
  for (const Param* param : models::Parameters(model)) outcome.grads.push_back(param->grad.Clone());
  return outcome;
}

TEST(Shards, AddUpToTheStepOfTheWholeBatch) {
  const ShardedStep whole = StepWith(1);
  for (const Index shards : {2, 3, 7}) {
    const ShardedStep parts = StepWith(shards);
    EXPECT_EQ(parts.result.tokens, 7 * 12);
    EXPECT_NEAR(parts.result.loss, whole.result.loss, kShardsApart * whole.result.loss);
    EXPECT_NEAR(parts.result.grad_norm, whole.result.grad_norm, kShardsApart * whole.result.grad_norm);
    for (size_t i = 0; i < whole.grads.size(); ++i) {
      double norm = 0, error = 0;
      for (Index n = 0; n < whole.grads[i].size(); ++n) {
        norm += std::pow(whole.grads[i][n], 2);
        error += std::pow(whole.grads[i][n] - parts.grads[i][n], 2);
      }
      EXPECT_TRUE(std::sqrt(error) <= kShardsApart * std::sqrt(norm)) << shards << " shards, parameter " << i;
    }
  }
}

// Shard k of S has the sequences [k·B/S, (k+1)·B/S), and its gradient is made apart. What is added is exact, for the
// double sum of three floats is all but so, and is rounded once.
TEST(Shards, AreMadeApartAndTheirSumIsRoundedOnce) {
  const ShardedStep step = StepWith(3);
  const Batch batch = Uneven();
  const Index targets = ops::CountTargets(batch.targets);
  std::vector<std::vector<double>> sums;
  double loss = 0;
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 2}, {2, 4}, {4, 7}}) {
    models::Gpt model = Nano();
    Tape tape;
    const Batch shard{12,
                      {batch.inputs.begin() + 12 * begin, batch.inputs.begin() + 12 * end},
                      {batch.targets.begin() + 12 * begin, batch.targets.begin() + 12 * end}};
    const Var part = ops::CrossEntropy(model.Logits(tape, shard.inputs, 12), shard.targets, targets);
    tape.Backward(part);
    loss += part.value[0];
    const std::vector<Param*> params = models::Parameters(model);
    sums.resize(params.size());
    for (size_t i = 0; i < params.size(); ++i) {
      sums[i].resize(params[i]->grad.size());
      for (size_t n = 0; n < sums[i].size(); ++n) sums[i][n] += params[i]->grad[static_cast<Index>(n)];
    }
  }
  EXPECT_EQ(step.result.loss, loss);
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(step.grads[i].size(), static_cast<Index>(sums[i].size()));
    for (size_t n = 0; n < sums[i].size(); ++n) {
      const Real sum = step.grads[i][static_cast<Index>(n)];
      if (sizeof(Real) == sizeof(float) && std::abs(sums[i][n]) > 0x1p-30) {
        ASSERT_EQ(sum, static_cast<Real>(sums[i][n])) << "parameter " << i;
      } else {
        ASSERT_TRUE(std::abs(sum - sums[i][n]) <= 0x1p-54) << "parameter " << i;
      }
    }
  }
}

TEST(Shards, HaveTheSameBitsForAnyNumberOfThreads) {
  std::map<std::string, std::string> one_thread;
  for (const int threads : {1, 2, 3}) {
    SetNumThreads(threads);
    models::Gpt model = Nano();
    TrainOptions options = OptionsOf(3, 1e-2);
    options.shards = 3;
    Train(
        model, [](Index) { return Uneven(); }, options);
    const auto bytes = BytesOf(models::Parameters(model));
    if (threads == 1) one_thread = bytes;
    EXPECT_TRUE(bytes == one_thread) << threads << " threads";
  }
  SetNumThreads(0);
}

// Activations are those of one shard; the sum of the gradients comes to them, in numbers that are no tensors.
TEST(Shards, TakeTheMemoryThatThePlanSays) {
  SetNumThreads(1);
  for (const OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kSgd}) {
    for (const Index shards : {1, 4}) {
      models::Gpt model = Nano();
      TrainOptions options = OptionsOf(1, 1e-3);
      options.shards = shards;
      options.optimizer = kind;
      const MemoryPlan plan = PlanMemory(model, nullptr, options);
      EXPECT_EQ(plan.Shard(32), 32 / shards);
      EXPECT_EQ(plan.Shard(33), (33 + shards - 1) / shards);
      Trainer trainer(model, options);
      const std::vector<int> ids(32 * 64, 1);
      Tensor::ResetPeakBytes();
      trainer.Step({64, ids, ids});
      EXPECT_EQ(plan.sums, shards == 1 ? 0 : 8 * kNanoParameters);
      const double predicted = static_cast<double>(plan.Total(plan.Shard(32) * 64) - plan.sums);
      const double ratio = predicted / static_cast<double>(Tensor::PeakBytes());
      EXPECT_TRUE(ratio >= 0.98 && ratio <= 1.05) << ratio << " with " << shards << " shards";
    }
  }
  SetNumThreads(0);
}

TEST(Shards, MemoryIsAskedForOne) {
  MemoryPlan plan{.moments = 50'000'000, .fixed = {1'000'000}, .per_token = {1e5}};
  plan.shards = 2;
  RequireMemory(plan, 8, 100, 111'500'000);  // what a batch of 4 takes
  try {
    RequireMemory(plan, 8, 100, 111'499'999);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(),
                 "training needs 111.5 MB more memory for --batch 8 --length 100, found 111.5 MB available; --batch 6 "
                 "--length 100 would fit");
  }
}

}  // namespace
}  // namespace ampgrad::train
