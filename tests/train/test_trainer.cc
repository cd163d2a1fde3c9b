#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/gpt.h"
#include "nn/forms/dense.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/reference/numbers.h"
#include "tests/train/training.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

constexpr double kStepsApart = sizeof(Real) == sizeof(double) ? 1e-12 : 1e-5;

/// The smallest language model: row `id` of a table holds the logits of the token after `id`, so losses and gradients
/// can be computed by hand.
class Bigram : public models::LanguageModel {
 public:
  static constexpr Index kVocabulary = 5;

  explicit Bigram(const Tensor& table)
      : table_("table.weight", nn::MatrixKind::kVocabulary, ops::Layout::kOutIn, kVocabulary, kVocabulary) {
    table_.form = std::make_unique<nn::Dense>(table_.name, table, table_.layout);
  }

  nn::Parts Parts() override { return {{&table_}, {}}; }
  nn::Parts BlockParts(Index) override { return {}; }
  nn::Matrix& HeadMatrix() override { return table_; }
  std::unique_ptr<LanguageModel> Clone() override {
    return std::make_unique<Bigram>(table_.form->Merged().Widened().Clone());
  }
  nlohmann::json Config() const override { return nlohmann::json::object(); }
  const char* CheckpointPrefix() const override { return ""; }
  Index width() const override { return kVocabulary; }
  Index vocabulary() const override { return kVocabulary; }
  Index context() const override { return 1000; }
  Index layers() const override { return 0; }
  Index kv_width() const override { return 1; }

  bool poisoned = false;

 protected:
  Var Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>&) override {
    return table_.Lookup(tape, ids);
  }
  Var Block(Index, const Var& x, const nn::Sequences&) override { return x; }
  Var Head(const Var& logits) override {
    if (!poisoned) return logits;
    // A finite value whose gradient is not: what an overflow in a backward pass looks like.
    return logits.tape->Record("poison", logits.value.Clone(), {&logits}, [](const Tensor& dY, InputGrads& d) {
      for (Index i = 0; i < dY.size(); ++i) (*d.AddWithin(0))[i] += kNaN;
    });
  }

 private:
  nn::Matrix table_;
};

Tensor RandomTable() { return Random(5, 0).NormalTensor({Bigram::kVocabulary, Bigram::kVocabulary}, 1.5); }

models::Gpt Nano() {
  models::Gpt model(models::PresetConfig("nano"));
  model.Initialise(3);
  return model;
}

/// Random sequences over the bytes.
Batch RandomBatch(uint64_t stream, Index sequences, Index length) {
  const Random random(17, stream);
  Batch batch{length, {}, {}};
  for (Index i = 0; i < sequences * length; ++i) {
    batch.inputs.push_back(static_cast<int>(random.Below(2 * i, 256)));
    batch.targets.push_back(static_cast<int>(random.Below(2 * i + 1, 256)));
  }
  return batch;
}

/// All parameters, byte by byte.
std::string Bytes(models::LanguageModel& model) {
  std::string bytes;
  for (const Param* param : models::Parameters(model)) {
    bytes.append(reinterpret_cast<const char*>(param->value.data()), sizeof(Real) * param->value.size());
  }
  return bytes;
}

/// The message of the DivergedError that `call` must end in.
std::string Divergence(const std::function<void()>& call) {
  try {
    call();
  } catch (const DivergedError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no DivergedError";
  return "";
}

TEST(Train, OverfitsOneBatch) {
  models::Gpt model = Nano();
  const Batch batch = RandomBatch(0, 2, 16);
  double last = 0;
  Train(
      model, [&](Index) { return batch; }, OptionsOf(200, 1e-2), [&](const StepResult& r) { last = r.loss; });
  EXPECT_LT(last, 0.05);
  EXPECT_LT(Evaluate(model, {batch}), 0.05);
}

TEST(Train, LearnsNothingFromFreshNoise) {
  // The control of OverfitsOneBatch: on random tokens, no loss clearly below log 256 can be right.
  models::Gpt model = Nano();
  double last = 0;
  const auto noise = [](Index step) { return RandomBatch(1 + static_cast<uint64_t>(step), 4, 16); };
  Train(model, noise, OptionsOf(60, 1e-3), [&](const StepResult& r) { last = r.loss; });
  EXPECT_GT(last, std::log(256.0) - 0.5);
}

TEST(Train, RateZeroLeavesEveryBit) {
  models::Gpt model = Nano();
  const std::string before = Bytes(model);
  TrainOptions options = OptionsOf(3, 0);
  options.adamw.weight_decay = 0.1;
  Train(
      model, [](Index) { return RandomBatch(0, 2, 8); }, options, nullptr);
  EXPECT_TRUE(Bytes(model) == before);
}

TEST(Train, FrozenParametersKeepEveryBit) {
  models::Gpt model = Nano();
  models::SetTrainable(model, false);
  std::vector<Param*> params = models::Parameters(model);
  params[3]->trainable = true;
  std::vector<Tensor> before;
  for (const Param* param : params) before.push_back(param->value.Clone());
  Train(
      model, [](Index) { return RandomBatch(0, 2, 8); }, OptionsOf(3, 1e-2), nullptr);
  for (size_t i = 0; i < params.size(); ++i) {
    const bool same = std::memcmp(params[i]->value.data(), before[i].data(), sizeof(Real) * before[i].size()) == 0;
    EXPECT_EQ(same, i != 3) << params[i]->name;
  }
}

TEST(Train, TellsOfEveryStep) {
  models::Gpt model = Nano();
  const TrainOptions options = OptionsOf(5, 1e-3);
  Index steps = 0;
  Train(
      model, [](Index) { return RandomBatch(0, 2, 8); }, options,
      [&](const StepResult& r) {
        EXPECT_EQ(r.step, ++steps);
        EXPECT_EQ(r.lr, LearningRate(options, r.step - 1));
        EXPECT_EQ(r.tokens, 16);
        EXPECT_TRUE(r.loss > 0 && r.grad_norm > 0);
      });
  EXPECT_EQ(steps, 5);
  for (const Param* param : models::Parameters(model)) EXPECT_TRUE(param->grad.empty()) << param->name;
}

// Everything that decides the next step can be read: two runs that agree in it continue alike.
TEST(Trainer, HoldsItsParametersByNameAndTheirState) {
  models::Gpt model = Nano();
  Trainer trainer(model, OptionsOf(3, 1e-2));
  EXPECT_EQ(trainer.step(), 0);
  for (int i = 0; i < 3; ++i) trainer.Step(RandomBatch(0, 2, 8));
  EXPECT_TRUE(trainer.Done());
  std::vector<std::string> names;
  for (const AdamW::Slot& slot : trainer.optimizer().slots()) {
    names.push_back(slot.param->name);
    EXPECT_EQ(slot.steps, 3) << slot.param->name;
    EXPECT_EQ(slot.m.shape(), slot.param->value.shape());
    EXPECT_EQ(slot.v.shape(), slot.param->value.shape());
  }
  std::vector<std::string> expected;
  for (const Param* param : models::TrainableParameters(model)) expected.push_back(param->name);
  EXPECT_EQ(names, expected);
}

// Losses and gradients of the parts of a step add up to those of the step when each is divided by the step's count.
TEST(Trainer, PartsOfAStepAddUpToTheStep) {
  const Batch batch = RandomBatch(3, 4, 8);
  models::Gpt whole = Nano(), parts = Nano();
  Tape tape;
  const Var loss = BatchLoss(whole, tape, batch);
  tape.Backward(loss);
  double sum = 0;
  for (Index part = 0; part < 2; ++part) {
    const auto half = [&](const std::vector<int>& ids) {
      return std::vector<int>(ids.begin() + part * 16, ids.begin() + (part + 1) * 16);
    };
    Tape part_tape;
    const Var part_loss = ops::CrossEntropy(parts.Logits(part_tape, half(batch.inputs), 8), half(batch.targets), 32);
    part_tape.Backward(part_loss);
    sum += part_loss.value[0];
  }
  EXPECT_NEAR(sum, loss.value[0], kStepsApart * loss.value[0]);
  const std::vector<Param*> expected = models::Parameters(whole), found = models::Parameters(parts);
  for (size_t i = 0; i < expected.size(); ++i) {
    double norm = 0, error = 0;
    for (Index n = 0; n < expected[i]->grad.size(); ++n) {
      norm += std::pow(expected[i]->grad[n], 2);
      error += std::pow(expected[i]->grad[n] - found[i]->grad[n], 2);
    }
    EXPECT_LE(std::sqrt(error), kStepsApart * std::sqrt(norm)) << expected[i]->name;
  }
}

TEST(Train, FirstLossAndNormByHand) {
  // Zero logits: the loss is log V and the gradient of a row of the table is (1/V - onehot)/N for each of its N uses.
  Bigram model{Tensor({Bigram::kVocabulary, Bigram::kVocabulary})};
  const Batch batch{2, {0, 1}, {3, 4}};
  Train(
      model, [&](Index) { return batch; }, OptionsOf(1, 1e-3),
      [](const StepResult& r) {
        EXPECT_NEAR(r.loss, std::log(5.0), kStepsApart);
        EXPECT_NEAR(r.grad_norm, std::sqrt(2 * (0.8 * 0.8 + 4 * 0.2 * 0.2)) / 2, kStepsApart);
      });
}

TEST(Train, ClippingBoundsTheNorm) {
  for (const double clip : {0.0, 0.25, 1e6}) {
    Bigram model(RandomTable());
    TrainOptions options = OptionsOf(3, 1e-3);
    options.clip = clip;
    const Batch batch{2, {0, 1, 2, 3}, {3, 4, 0, 0}};
    Train(
        model, [&](Index) { return batch; }, options,
        [&](const StepResult& r) {
          double sum = 0;  // the gradients are still those that the step was made with
          for (const Real g : models::Parameters(model)[0]->grad) sum += static_cast<double>(g) * g;
          EXPECT_GT(r.grad_norm, 0.25);
          EXPECT_NEAR(std::sqrt(sum), clip > 0 ? std::min(clip, r.grad_norm) : r.grad_norm, kStepsApart)
              << "clip " << clip;
        });
  }
}

TEST(Train, NaNWeightEndsBeforeAnythingChanges) {
  models::Gpt model = Nano();
  models::Parameters(model)[4]->value[0] = kNaN;
  const std::string before = Bytes(model);
  const std::string message = Divergence([&] {
    Train(
        model, [](Index) { return RandomBatch(0, 2, 8); }, OptionsOf(5, 1e-3), nullptr);
  });
  EXPECT_EQ(message.rfind("step 1: the loss is not finite (", 0), 0u) << message;
  EXPECT_NE(message.find("a smaller --lr may help"), std::string::npos) << message;
  EXPECT_TRUE(Bytes(model) == before);
}

TEST(Train, NaNInALaterStepIsNamed) {
  models::Gpt model = Nano();
  std::string before;
  const std::string message = Divergence([&] {
    const auto batches = [&](Index step) {
      if (step == 2) {
        models::Parameters(model)[2]->value[7] = kNaN;
        before = Bytes(model);
      }
      return RandomBatch(0, 2, 8);
    };
    Train(model, batches, OptionsOf(5, 1e-3), nullptr);
  });
  EXPECT_EQ(message.rfind("step 3: the loss is not finite (", 0), 0u) << message;
  EXPECT_TRUE(Bytes(model) == before);
}

TEST(Train, NaNGradientBehindAFiniteLossEndsBeforeAnythingChanges) {
  Bigram model(RandomTable());
  model.poisoned = true;
  const std::string before = Bytes(model);
  const std::string message = Divergence([&] {
    Train(
        model,
        [](Index) {
          return Batch{2, {0, 1}, {3, 4}};
        },
        OptionsOf(5, 1e-3), nullptr);
  });
  EXPECT_EQ(message.rfind("step 1: the gradient norm is not finite (", 0), 0u) << message;
  EXPECT_TRUE(Bytes(model) == before);
}

TEST(Train, AbsurdRateEndsAsDivergedError) {
  models::Gpt model = Nano();
  const std::string message = Divergence([&] {
    Train(
        model, [](Index) { return RandomBatch(0, 2, 8); }, OptionsOf(20, 1e30), nullptr);
  });
  EXPECT_EQ(message.rfind("step ", 0), 0u) << message;
  EXPECT_NE(message.find("not finite"), std::string::npos) << message;
}

TEST(Train, RefusesAFrozenModel) {
  models::Gpt model = Nano();
  models::SetTrainable(model, false);
  try {
    Train(
        model, [](Index) { return RandomBatch(0, 2, 8); }, OptionsOf(1, 1e-3), nullptr);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "nothing to train: every parameter is frozen");
  }
}

TEST(Train, SameBitsForAnyNumberOfThreads) {
  std::vector<double> one_thread;
  std::string one_thread_bytes;
  for (const int threads : {1, 2, 3}) {
    SetNumThreads(threads);
    models::Gpt model = Nano();
    std::vector<double> losses;
    const auto batches = [](Index step) { return RandomBatch(static_cast<uint64_t>(step), 5, 33); };
    Train(model, batches, OptionsOf(4, 1e-3), [&](const StepResult& r) {
      losses.push_back(r.loss);
      losses.push_back(r.grad_norm);
    });
    losses.push_back(Evaluate(model, {RandomBatch(99, 5, 33)}));
    if (threads == 1) {
      one_thread = losses;
      one_thread_bytes = Bytes(model);
    }
    EXPECT_EQ(losses, one_thread) << threads << " threads";
    EXPECT_TRUE(Bytes(model) == one_thread_bytes) << threads << " threads";
  }
  SetNumThreads(0);
}

TEST(Evaluate, WeightsBatchesByTheirTargets) {
  const Tensor table = RandomTable();
  Bigram model(table);
  const int none = ops::kIgnored;
  // One target, then four, then three of four.
  const std::vector<Batch> batches = {
      {2, {0, 1}, {none, 2}}, {4, {0, 1, 2, 3}, {1, 2, 3, 4}}, {2, {4, 4, 0, 2}, {0, none, 1, 1}}};
  double sum = 0, mean_of_means = 0;
  int count = 0;
  for (const Batch& batch : batches) {
    double batch_sum = 0;
    int batch_count = 0;
    for (size_t n = 0; n < batch.inputs.size(); ++n) {
      if (batch.targets[n] == none) continue;
      const Real* row = table.row(batch.inputs[n]);
      double total = 0;
      for (Index v = 0; v < Bigram::kVocabulary; ++v) total += std::exp(static_cast<double>(row[v]));
      batch_sum += std::log(total) - row[batch.targets[n]];
      ++batch_count;
    }
    sum += batch_sum;
    count += batch_count;
    mean_of_means += batch_sum / batch_count / static_cast<double>(batches.size());
  }
  ASSERT_EQ(count, 8);
  EXPECT_NEAR(Evaluate(model, batches), sum / count, kStepsApart);
  EXPECT_GT(std::abs(mean_of_means - sum / count), 0.01);  // else the test could not tell the two apart
}

TEST(Evaluate, NaNEndsAsDivergedError) {
  models::Gpt model = Nano();
  models::Parameters(model)[4]->value[0] = kNaN;
  const std::string message = Divergence([&] { Evaluate(model, {RandomBatch(0, 2, 8)}); });
  EXPECT_EQ(message, "the held-out loss is not finite");
}

TEST(Evaluate, ChangesNothing) {
  models::Gpt model = Nano();
  const std::string before = Bytes(model);
  Evaluate(model, {RandomBatch(0, 2, 8)});
  EXPECT_TRUE(Bytes(model) == before);
  for (const Param* param : models::Parameters(model)) EXPECT_TRUE(param->grad.empty()) << param->name;
}

}  // namespace
}  // namespace ampgrad::train
