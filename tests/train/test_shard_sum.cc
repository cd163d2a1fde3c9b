#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/train/ranks/threads.h"
#include "tests/train/training.h"
#include "train/shard_sum.h"

/// The sum of shards in whole numbers, and the steps of several ranks.
namespace ampgrad::train {
namespace {

constexpr Index kSize = 4000;

// A gradient over six decades, of both signs.
Real Gradient(Index shard, Index n) {
  const Random random(23, static_cast<uint64_t>(shard));
  const double size = std::pow(10, -6 * random.Uniform(static_cast<uint64_t>(2 * n)));
  return static_cast<Real>(random.Uniform(static_cast<uint64_t>(2 * n + 1)) < 0.5 ? size : -size);
}

// The sum over `shards` shards as `size` ranks take it, for gradients below 2^exponent.
std::vector<Real> SumOf(Index shards, int size, int exponent) {
  std::vector<Real> sums;
  ThreadRanks::Run(size, [&](Ranks& ranks) {
    Param param{"p", Tensor({kSize}), Tensor(), true};
    const std::vector<Optimizer::Slot> slots = {{&param, {}, {}}};
    ShardSum sum;
    sum.Begin(slots, shards, exponent);
    const Share own = ShareOf(ranks, shards);
    for (Index shard = own.begin; shard < own.end; ++shard) {
      param.grad = Tensor({kSize});
      for (Index n = 0; n < kSize; ++n) param.grad[n] = Gradient(shard, n);
      sum.Add(shard, 0.25 * static_cast<double>(shard));
    }
    const ShardSum::Total total = sum.Over(ranks);
    EXPECT_EQ(total.loss, 0.125 * static_cast<double>(shards * (shards - 1)));
    sum.Return();
    if (ranks.IsFirst()) sums.assign(param.grad.begin(), param.grad.end());
  });
  return sums;
}

TEST(ShardSum, HasTheSameBitsForAnyNumberOfRanks) {
  for (const Index shards : {2, 4, 7}) {
    const std::vector<Real> one = SumOf(shards, 1, 1);
    for (const int size : {2, 3, 4}) EXPECT_TRUE(SumOf(shards, size, 1) == one) << shards << " shards, " << size;
  }
}

// Plain sums of floats, each rank's own first, are others for other numbers of ranks: the test above could fail.
TEST(ShardSum, FloatSumsWouldDependOnTheRanks) {
  const auto plain = [](Index shards, Index ranks, Index n) {
    float sum = 0;
    for (Index rank = 0; rank < ranks; ++rank) {
      float own = 0;
      for (Index s = rank * shards / ranks; s < (rank + 1) * shards / ranks; ++s)
        own += static_cast<float>(Gradient(s, n));
      sum += own;
    }
    return sum;
  };
  Index different = 0;
  for (Index n = 0; n < kSize; ++n) different += plain(7, 1, n) != plain(7, 3, n);
  EXPECT_GT(different, kSize / 10);
}

// The long double sum of seven floats is exact: 64 bits hold them over six decades. That of doubles is rounded where
// the bound does not feel it, at 2^-63 of the sum.
TEST(ShardSum, IsTheSumRoundedOnce) {
  const std::vector<Real> sums = SumOf(7, 3, 1);
  for (Index n = 0; n < kSize; ++n) {
    long double exact = 0;
    for (Index shard = 0; shard < 7; ++shard) exact += Gradient(shard, n);
    if (sizeof(Real) == sizeof(float)) {
      ASSERT_EQ(sums[n], static_cast<Real>(exact)) << n;
    } else {
      // A number counts in units of 2^-58, to the nearest: half a unit for each shard, then the rounding to a double.
      const long double bound = 7 * 0x1p-59L + std::abs(exact) * 0x1p-53L;
      ASSERT_TRUE(std::abs(sums[n] - exact) <= bound) << n;
    }
  }
}

// The largest numbers that the bound allows do not overflow, of any sign and number of shards.
TEST(ShardSum, HasRoomForTheLargestGradients) {
  for (const Index shards : {1, 2, 3, 8, 9}) {
    for (const double sign : {1.0, -1.0}) {
      const auto value = static_cast<Real>(sign * std::nextafter(static_cast<Real>(1), static_cast<Real>(0)));
      Param param{"p", Tensor({1}), Tensor(), true};
      ShardSum sum;
      sum.Begin({{&param, {}, {}}}, shards, 0);
      for (Index shard = 0; shard < shards; ++shard) {
        param.grad = Tensor::FromValues({1}, {value});
        sum.Add(shard, 0);
      }
      EXPECT_EQ(sum.Over(Alone()).largest, std::abs(value));
      sum.Return();
      EXPECT_EQ(param.grad[0], static_cast<Real>(static_cast<double>(shards) * static_cast<double>(value)));
    }
  }
}

// A parameter that no shard reaches is to stay as it is, which a gradient of zeros does not say.
TEST(ShardSum, LeavesOutWhatHasNoGradient) {
  Param reached{"a", Tensor({2}), Tensor(), true}, unreached{"b", Tensor({3}), Tensor(), true};
  Param frozen{"c", Tensor({3}), Tensor(), false};
  ShardSum sum;
  sum.Begin({{&reached, {}, {}}, {&unreached, {}, {}}, {&frozen, {}, {}}}, 2, 4);
  reached.grad = Tensor::FromValues({2}, {1, -2});
  sum.Add(1, 3);
  EXPECT_TRUE(reached.grad.empty());
  EXPECT_EQ(sum.Over(Alone()).loss, 3);
  sum.Return();
  EXPECT_EQ(reached.grad[1], -2);
  EXPECT_TRUE(unreached.grad.empty());
  EXPECT_TRUE(frozen.grad.empty());
}

// What is not finite on one shard of one rank, in its loss or its gradient, all ranks are told.
TEST(ShardSum, TellsAllRanksOfOneShardThatIsNotFinite) {
  constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN(), kInfinity = std::numeric_limits<Real>::infinity();
  for (const auto& [loss, gradient] : {std::pair<Real, Real>{kNan, 1}, {kInfinity, 1}, {1, kNan}, {1, -kInfinity}}) {
    ThreadRanks::Run(3, [&](Ranks& ranks) {
      Param param{"p", Tensor({2}), Tensor(), true};
      ShardSum sum;
      sum.Begin({{&param, {}, {}}}, 3, 4);
      const bool bad = ranks.rank() == 1;
      param.grad = Tensor::FromValues({2}, {bad ? gradient : 3, 2});
      sum.Add(ranks.rank(), bad ? loss : 1);
      const ShardSum::Total total = sum.Over(ranks);
      EXPECT_EQ(std::isfinite(total.loss), std::isfinite(loss));
      EXPECT_EQ(std::isfinite(total.largest), std::isfinite(gradient));
      EXPECT_EQ(std::isnan(total.loss + total.largest), std::isnan(loss + gradient));
    });
  }
}

TEST(ShardSum, NextBoundIsEightBitsAboveTheLargest) {
  EXPECT_EQ(NextExponent(1.0), 9);  // 1 < 2^1
  EXPECT_EQ(NextExponent(0.75), 8);
  EXPECT_EQ(NextExponent(3e-5), -15 + 8);
  EXPECT_EQ(NextExponent(1e-300), -126);
}

Batch SevenSequences(Index step) {
  const Random random(29, static_cast<uint64_t>(step));
  Batch batch{12, {}, {}};
  for (uint64_t i = 0; i < 7 * 12; ++i) {
    batch.inputs.push_back(static_cast<int>(random.Below(2 * i, 256)));
    batch.targets.push_back(static_cast<int>(random.Below(2 * i + 1, 256)));
  }
  return batch;
}

struct TrainedState {
  std::map<std::string, std::string> bytes;
  std::vector<double> figures;
  int exponent = 0;
  std::string error;
  bool operator==(const TrainedState&) const = default;
};

// Three steps of four shards on `size` ranks, whose embeddings are multiplied by `factor` before the second.
std::vector<TrainedState> Train(int size, Real factor) {
  std::vector<TrainedState> all(size);
  ThreadRanks::Run(size, [&](Ranks& ranks) {
    models::Gpt model = Nano();
    TrainOptions options = OptionsOf(3, 1e-2);
    options.shards = 4;
    options.ranks = &ranks;
    Trainer trainer(model, options);
    TrainedState& own = all[ranks.rank()];
    try {
      while (!trainer.Done()) {
        const StepResult result = trainer.Step(SevenSequences(trainer.step()));
        own.figures.insert(own.figures.end(), {result.loss, result.grad_norm});
        Tensor& first = models::Parameters(model)[0]->value;
        if (trainer.step() == 1) {
          for (Real& number : first) number *= factor;
        }
        RequireSameTrained(trainer);
      }
      own.figures.push_back(Evaluate(model, {SevenSequences(9), SevenSequences(10), SevenSequences(11)}, ranks));
    } catch (const DivergedError& error) {
      own.error = error.what();
    }
    own.bytes = BytesOf(models::Parameters(model));
    own.exponent = trainer.exponent();
  });
  return all;
}

class RankSteps : public testing::Test {
 protected:
  void SetUp() override { SetNumThreads(1); }
  void TearDown() override { SetNumThreads(0); }
};

TEST_F(RankSteps, HaveTheBitsOfOneProcess) {
  const TrainedState one = Train(1, 1)[0];
  EXPECT_EQ(one.figures.size(), 7u);
  for (const int size : {2, 3, 4}) {
    for (const TrainedState& rank : Train(size, 1)) EXPECT_TRUE(rank == one) << size << " ranks";
  }
}

// Gradients beyond the bound of the step before: it is made again, and comes to what a wider bound gives at once.
TEST_F(RankSteps, AreMadeAgainWhenTheGradientsGrow) {
  models::Gpt model = Nano(), wide = Nano();
  TrainOptions options = OptionsOf(2, 1e-2);
  options.shards = 4;
  Trainer trainer(model, options), expected(wide, options);
  trainer.Step(SevenSequences(0));
  expected.Step(SevenSequences(0));
  const int above = trainer.exponent();
  trainer.GoOnFrom(1, above - 12);  // of which eight bits are room
  expected.GoOnFrom(1, above);
  const StepResult again = trainer.Step(SevenSequences(1)), once = expected.Step(SevenSequences(1));
  EXPECT_EQ(again.loss, once.loss);
  EXPECT_EQ(again.grad_norm, once.grad_norm);
  EXPECT_EQ(trainer.exponent(), expected.exponent());
  if (sizeof(Real) == sizeof(float)) {
    EXPECT_TRUE(BytesOf(models::Parameters(model)) == BytesOf(models::Parameters(wide)));
  }
}

TEST_F(RankSteps, DivergeAlike) {
  const TrainedState one = Train(1, std::numeric_limits<Real>::quiet_NaN())[0];
  EXPECT_EQ(one.error, "step 2: the loss is not finite (NaN); a smaller --lr may help");
  for (const TrainedState& rank : Train(3, std::numeric_limits<Real>::quiet_NaN())) EXPECT_TRUE(rank == one);
}

TEST_F(RankSteps, AreStoppedWhenParametersComeApart) {
  std::vector<std::string> errors(2);
  ThreadRanks::Run(2, [&](Ranks& ranks) {
    models::Gpt model = Nano();
    TrainOptions options = OptionsOf(1, 1e-2);
    options.shards = 2;
    options.ranks = &ranks;
    Trainer trainer(model, options);
    if (ranks.rank() == 1) models::Parameters(model)[0]->value[0] += 1;
    try {
      RequireSameTrained(trainer);
    } catch (const std::runtime_error& error) {
      errors[ranks.rank()] = error.what();
    }
  });
  EXPECT_EQ(errors[0].rfind("rank 1: expected the hash of what is trained after step 0 of rank 0, ", 0), 0u)
      << errors[0];
  EXPECT_EQ(errors[1], errors[0]);
}

TEST_F(RankSteps, NeedAShardForEachRank) {
  ThreadRanks::Run(2, [](Ranks& ranks) {
    models::Gpt model = Nano();
    TrainOptions options = OptionsOf(1, 1e-2);
    options.ranks = &ranks;
    try {
      const Trainer trainer(model, options);
      ADD_FAILURE() << "accepted";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "expected a shard of the step for each of 2 ranks, found --shards 1");
    }
  });
}

}  // namespace
}  // namespace ampgrad::train
