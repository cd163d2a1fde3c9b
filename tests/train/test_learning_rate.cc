#include <gtest/gtest.h>

#include "tests/train/training.h"

namespace ampgrad::train {
namespace {

TEST(LearningRate, RisesThenFallsAsHalfACosine) {
  TrainOptions options = Options(110, 2);
  options.warmup = 10;
  options.final_share = 0.1;
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
  EXPECT_DOUBLE_EQ(LearningRate(Options(10, 0.5), 0), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(Options(1, 0.5), 0), 0.5);
}

TEST(LearningRate, IsFiniteWhenWarmupFillsTheRun) {
  TrainOptions options = Options(4, 1);
  options.warmup = 8;
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 0.5);
  options.warmup = 4;
  EXPECT_DOUBLE_EQ(LearningRate(options, 3), 1);
  EXPECT_DOUBLE_EQ(LearningRate(options, 4), 1);
}

}  // namespace
}  // namespace ampgrad::train
