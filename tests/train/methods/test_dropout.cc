#include <gtest/gtest.h>

#include <cmath>

#include "tensor/thread_pool.h"
#include "tests/reference/numbers.h"
#include "tests/support/small_models.h"
#include "tests/train/training.h"
#include "train/methods/method.h"

/// Dropout on what a low-rank update reads.
namespace ampgrad::train {
namespace {

MethodSettings Dropping(double rate) {
  return {.method = "lora", .chain = nn::Chain::kFactored, .rank = 2, .dropout = rate, .seed = 5};
}

Batch SomeBatch() { return {6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)}; }

std::vector<double> Losses(const MethodSettings& method, bool checkpoint, uint64_t seed = 1) {
  const auto model = TinyGpt(3);
  Prepare(*model, method);
  model->checkpoint_blocks = checkpoint;
  TrainOptions options = OptionsOf(4, 1e-1);
  options.seed = seed;
  Trainer trainer(*model, options);
  std::vector<double> losses;
  while (!trainer.Done()) losses.push_back(trainer.Step(SomeBatch()).loss);
  return losses;
}

TEST(Dropout, IsTheSameWithCheckpointingAndForAnyNumberOfThreads) {
  const std::vector<double> losses = Losses(Dropping(0.4), false);
  EXPECT_EQ(Losses(Dropping(0.4), true), losses);
  SetNumThreads(3);
  EXPECT_EQ(Losses(Dropping(0.4), false), losses);
  SetNumThreads(1);
  EXPECT_NE(Losses(Dropping(0.4), false, 2), losses);
  EXPECT_NE(Losses(Dropping(0), false), losses);
}

TEST(Dropout, NeitherTheFirstLossNorAnEvaluationDrops) {
  // B is zero at first, so that the update is, whatever A reads.
  EXPECT_EQ(Losses(Dropping(0.9), false)[0], Losses(Dropping(0), false)[0]);
  const auto model = TinyGpt(3);
  Prepare(*model, Dropping(0.5));
  for (Param* param : models::TrainableParameters(*model)) param->value.Fill(Real(0.1));
  const auto plain = TinyGpt(3);
  Prepare(*plain, Dropping(0));
  for (Param* param : models::TrainableParameters(*plain)) param->value.Fill(Real(0.1));
  EXPECT_EQ(Evaluate(*model, {SomeBatch()}), Evaluate(*plain, {SomeBatch()}));
}

// Over many draws, the mean of what is kept is x: E[m/(1 − rate)] = 1.
TEST(Dropout, KeepsTheMean) {
  Tape tape(Tape::Mode::kInference);
  Tensor ones({100, 100});
  ones.Fill(1);
  double sum = 0;
  Index zeros = 0;
  for (const Real y : ops::Dropout(tape.Constant(ones), 0.25, Random(1, 2)).value) sum += y, zeros += y == 0;
  EXPECT_NEAR(sum / 1e4, 1, 4 * std::sqrt(0.25 / 0.75 / 1e4));  // four standard deviations
  EXPECT_NEAR(static_cast<double>(zeros) / 1e4, 0.25, 4 * std::sqrt(0.25 * 0.75 / 1e4));
}

}  // namespace
}  // namespace ampgrad::train
