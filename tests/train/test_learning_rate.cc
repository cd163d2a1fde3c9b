#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/training.h"

namespace ampgrad::train {
namespace {

TEST(LearningRate, RisesThenFallsAsHalfACosine) {
  TrainOptions options = OptionsOf(110, 2);
  options.warmup = 10;
  EXPECT_DOUBLE_EQ(LearningRate(options, 0), 0.2);  // never 0: a first step at rate 0 would be wasted
  EXPECT_DOUBLE_EQ(LearningRate(options, 4), 1.0);
  EXPECT_DOUBLE_EQ(LearningRate(options, 9), 2.0);
  EXPECT_DOUBLE_EQ(LearningRate(options, 10), 2.0);  // the peak
  EXPECT_DOUBLE_EQ(LearningRate(options, 60), 1.1);  // half way: the mean of 2 and 0.2
  EXPECT_DOUBLE_EQ(LearningRate(options, 110), 0.2);
  EXPECT_DOUBLE_EQ(LearningRate(options, 1000), 0.2);
  for (Index step = 10; step < 110; ++step) EXPECT_GT(LearningRate(options, step), LearningRate(options, step + 1));
}

TEST(LearningRate, WithoutWarmupBeginsAtThePeak) {
  EXPECT_DOUBLE_EQ(LearningRate(OptionsOf(10, 0.5), 0), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(OptionsOf(1, 0.5), 0), 0.5);
}

TEST(LearningRate, IsFiniteWhenWarmupFillsTheRun) {
  TrainOptions options = OptionsOf(4, 1);
  options.warmup = 8;
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 0.5);
  options.warmup = 4;
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 4), 1);
}

// torch.optim.lr_scheduler.CosineAnnealingLR(T_max=80, eta_min=0.05) behind ten steps of warmup.
TEST(LearningRate, CosineIsPyTorchs) {
  TrainOptions options = OptionsOf(90, 2);
  options.warmup = 10;
  options.lr_min = 0.05;
  for (Index t = 0; t <= 80; ++t) {
    const double expected = 0.05 + (2 - 0.05) * (1 + std::cos(std::acos(-1.0) * static_cast<double>(t) / 80)) / 2;
    EXPECT_NEAR(LearningRate(options, 10 + t), expected, 1e-15) << t;
  }
}

// torch.optim.lr_scheduler.LinearLR(start_factor=1, end_factor=0.25, total_iters=40).
TEST(LearningRate, LinearIsPyTorchs) {
  TrainOptions options = OptionsOf(40, 2);
  options.schedule = Schedule::kLinear;
  options.lr_min = 0.5;
  for (Index t = 0; t <= 40; ++t) {
    EXPECT_NEAR(LearningRate(options, t), 2 * (1 + (0.25 - 1) * static_cast<double>(t) / 40), 1e-15) << t;
  }
  EXPECT_DOUBLE_EQ(LearningRate(options, 100), 0.5);
}

TEST(LearningRate, ConstantStaysAtThePeak) {
  TrainOptions options = OptionsOf(40, 2);
  options.warmup = 4;
  options.schedule = Schedule::kConstant;
  options.lr_min = 0.5;  // of which it knows nothing
  EXPECT_EQ(LearningRate(options, 0), 0.5);
  for (const Index step : {3, 4, 20, 39, 40, 100}) EXPECT_EQ(LearningRate(options, step), 2) << step;
}

TEST(LearningRate, ARateOfZeroStaysZero) {
  for (const Schedule schedule : {Schedule::kCosine, Schedule::kLinear, Schedule::kConstant}) {
    TrainOptions options = OptionsOf(4, 0);
    options.schedule = schedule;
    options.lr_min = 0;
    for (Index step = 0; step < 6; ++step) EXPECT_EQ(LearningRate(options, step), 0);
  }
}

}  // namespace
}  // namespace ampgrad::train
