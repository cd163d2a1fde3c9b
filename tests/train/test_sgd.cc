#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/random.h"
#include "tests/reference/numbers.h"
#include "train/sgd.h"

/// Sgd against torch.optim.SGD's formula in double: g ← g + weight_decay·p, p ← p − lr·g.
namespace ampgrad::train {
namespace {

TEST(Sgd, MatchesNaiveDouble) {
  constexpr int kSteps = 7;
  constexpr double kDecay = 0.1;
  for (const Index size : {1, 3, 17, 16383, 16385}) {  // around the chunks that threads share
    Param param{"p", Normal({size}, 0), {}};
    std::vector<double> naive(param.value.begin(), param.value.end());
    Sgd optimizer({&param}, kDecay);
    for (int step = 0; step < kSteps; ++step) {
      param.grad = Normal({size}, 1 + static_cast<uint64_t>(step));
      const double lr = 0.3 / (1 + step);
      for (Index i = 0; i < size; ++i) naive[i] -= lr * (param.grad[i] + kDecay * naive[i]);
      optimizer.Step(lr);
    }
    for (Index i = 0; i < size; ++i) {
      const double bound = kSteps * 4 * std::numeric_limits<Real>::epsilon() * (1 + std::abs(naive[i]));
      ASSERT_TRUE(std::abs(param.value[i] - naive[i]) <= bound) << i << ": " << param.value[i] << ", " << naive[i];
    }
  }
}

TEST(Sgd, StepByHand) {
  Param param{"p", Tensor::FromValues({2}, {8, -8}), Tensor::FromValues({2}, {2, 4})};
  Sgd optimizer({&param}, 0.5);
  optimizer.Step(0.25);
  EXPECT_EQ(param.value[0], 8 * 0.875 - 0.25 * 2);
  EXPECT_EQ(param.value[1], -8 * 0.875 - 0.25 * 4);
}

TEST(Sgd, HasNoMomentsAndLeavesAParamWithoutGradientAlone) {
  Param reached{"reached", Tensor::FromValues({1}, {1}), Tensor::FromValues({1}, {1})};
  Param unreached{"unreached", Tensor::FromValues({1}, {3}), {}};
  Sgd optimizer({&reached, &unreached}, 0.5);
  optimizer.Step(0.5);
  EXPECT_EQ(unreached.value[0], 3);
  EXPECT_EQ(optimizer.slots()[0].steps, 1);
  EXPECT_EQ(optimizer.slots()[1].steps, 0);
  for (const Optimizer::Slot& slot : optimizer.slots()) EXPECT_TRUE(slot.m.empty() && slot.v.empty());
}

}  // namespace
}  // namespace ampgrad::train
