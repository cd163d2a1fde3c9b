#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/reference/numbers.h"
#include "train/adamw.h"

/// AdamW against PyTorch's formulas in double, one element at a time.
namespace ampgrad::train {
namespace {

/// Relative error of one step, some ten roundings.
constexpr double kStepBound = sizeof(Real) == sizeof(double) ? 1e-13 : 1e-6;

Param MakeParam(const std::string& name, std::vector<Real> values) {
  const Index size = static_cast<Index>(values.size());
  return {name, Tensor::FromValues({size}, values), {}};
}

/// torch.optim.AdamW for one element.
struct NaiveAdamW {
  double p, m = 0, v = 0;
  int t = 0;

  void Step(double g, double lr, const AdamWOptions& o) {
    ++t;
    p -= lr * o.weight_decay * p;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(o.beta1, t)), v_hat = v / (1 - std::pow(o.beta2, t));
    p -= lr * m_hat / (std::sqrt(v_hat) + o.eps);
  }
};

void CheckAgainstNaive(Index size, const AdamWOptions& options) {
  SCOPED_TRACE("size " + std::to_string(size));
  constexpr int kSteps = 7;
  constexpr double kLr = 0.03;
  Param param{"p", Normal({size}, 0), {}};
  std::vector<NaiveAdamW> naive;
  for (const Real p : param.value) naive.push_back({p});
  AdamW optimizer({&param}, options);
  for (int step = 0; step < kSteps; ++step) {
    param.grad = Normal({size}, 1 + static_cast<uint64_t>(step));
    const double lr = kLr / (1 + step);  // another rate in every step, as a schedule gives
    for (Index i = 0; i < size; ++i) naive[i].Step(param.grad[i], lr, options);
    optimizer.Step(lr);
  }
  for (Index i = 0; i < size; ++i) {
    const double bound = kSteps * (4 * kEpsilon * (1 + std::abs(naive[i].p)) + kLr * kStepBound);
    ASSERT_TRUE(std::abs(param.value[i] - naive[i].p) <= bound)
        << "index " << i << ": found " << param.value[i] << ", expected " << naive[i].p << ", bound " << bound;
  }
}

TEST(AdamW, MatchesNaiveDouble) {
  AdamWOptions options;
  options.weight_decay = 0.1;
  // Every kind of vector tail, and sizes around the chunks that threads share.
  for (const Index size : {1, 2, 3, 5, 8, 15, 17, 33, 4095, 4097, 8200}) CheckAgainstNaive(size, options);
}

TEST(AdamW, MatchesNaiveDoubleWithOtherConstants) { CheckAgainstNaive(37, {0.8, 0.95, 1e-3, 0}); }

TEST(AdamW, DefaultsArePyTorchs) {
  const AdamWOptions options;
  EXPECT_EQ(options.beta1, 0.9);
  EXPECT_EQ(options.beta2, 0.999);
  EXPECT_EQ(options.eps, 1e-8);
  EXPECT_EQ(options.weight_decay, 0.01);
}

TEST(AdamW, FirstStepByHand) {
  // Decay first: 1 - 0.1·0.5·1 = 0.95. Bias correction makes the first step lr·g/(|g| + eps), nearly 0.1 whatever g.
  Param param = MakeParam("p", {1, 1});
  param.grad = Tensor::FromValues({2}, {2, -50});
  AdamW optimizer({&param}, {0.9, 0.999, 1e-8, 0.5});
  optimizer.Step(0.1);
  EXPECT_NEAR(param.value[0], 0.95 - 0.1 * 2 / (2 + 1e-8), 0.1 * kStepBound + 4 * kEpsilon);
  EXPECT_NEAR(param.value[1], 0.95 + 0.1 * 50 / (50 + 1e-8), 0.1 * kStepBound + 4 * kEpsilon);
}

TEST(AdamW, DecayIsDecoupledFromTheGradient) {
  // With zero gradients only the decay is left; as an L2 term it would be normalised to steps of lr.
  Param param = MakeParam("p", {8, -8});
  param.grad = Tensor({2});
  AdamW optimizer({&param}, {0.9, 0.999, 1e-8, 0.5});
  for (int i = 0; i < 3; ++i) optimizer.Step(0.5);
  EXPECT_EQ(param.value[0], 3.375);  // 8·0.75³, exact in binary
  EXPECT_EQ(param.value[1], -3.375);
}

TEST(AdamW, LeavesAParamWithoutGradientAlone) {
  Param reached = MakeParam("reached", {1, 2}), unreached = MakeParam("unreached", {3, 4});
  reached.grad = Tensor::FromValues({2}, {1, 1});
  AdamW optimizer({&reached, &unreached}, {});
  EXPECT_EQ(optimizer.GradNorm(), std::sqrt(2.0));
  optimizer.ZeroGrad();
  EXPECT_TRUE(reached.grad.empty());
  EXPECT_EQ(optimizer.GradNorm(), 0);
  reached.grad = Tensor::FromValues({2}, {1, 1});
  optimizer.ScaleGrads(0.5);
  optimizer.Step(0.1);
  EXPECT_TRUE(unreached.grad.empty());
  EXPECT_EQ(unreached.value[0], 3);
  EXPECT_EQ(unreached.value[1], 4);
  EXPECT_LT(reached.value[0], 1);
  EXPECT_LT(reached.value[1], 2);
}

TEST(AdamW, GradNormIsOverAllParams) {
  Param a = MakeParam("a", {0, 0}), b = MakeParam("b", {0});
  a.grad = Tensor::FromValues({2}, {3, -4});
  b.grad = Tensor::FromValues({1}, {12});
  AdamW optimizer({&a, &b}, {});
  EXPECT_EQ(optimizer.GradNorm(), 13);
  optimizer.ScaleGrads(0.25);
  EXPECT_EQ(a.grad[0], 0.75);
  EXPECT_EQ(a.grad[1], -1);
  EXPECT_EQ(b.grad[0], 3);
  EXPECT_EQ(optimizer.GradNorm(), 3.25);
}

TEST(AdamW, GradNormOfLargeGradientsIsFinite) {
  Param param = MakeParam("p", {0, 0});
  param.grad = Tensor::FromValues({2}, {static_cast<Real>(3e25), static_cast<Real>(4e25)});  // squares overflow float
  EXPECT_NEAR(AdamW({&param}, {}).GradNorm() / 5e25, 1, 1e-6);
}

TEST(AdamW, GradNormOfNaNIsNaN) {
  Param param = MakeParam("p", {0, 0, 0});
  param.grad = Tensor::FromValues({3}, {1, std::numeric_limits<Real>::quiet_NaN(), 1});
  EXPECT_TRUE(std::isnan(AdamW({&param}, {}).GradNorm()));
}

TEST(AdamW, SameBitsForAnyNumberOfThreads) {
  constexpr Index kSize = 20011;  // five chunks, the last one odd
  std::vector<Real> one_thread;
  double one_thread_norm = 0;
  for (const int threads : {1, 2, 3}) {
    SetNumThreads(threads);
    Param param{"p", Normal({kSize}, 0), {}};
    AdamW optimizer({&param}, {});
    double norm = 0;
    for (uint64_t step = 1; step <= 3; ++step) {
      param.grad = Normal({kSize}, step);
      norm = optimizer.GradNorm();
      optimizer.ScaleGrads(1 / norm);
      optimizer.Step(0.01);
    }
    if (threads == 1) {
      one_thread.assign(param.value.begin(), param.value.end());
      one_thread_norm = norm;
    }
    EXPECT_EQ(std::memcmp(param.value.data(), one_thread.data(), sizeof(Real) * kSize), 0) << threads << " threads";
    EXPECT_EQ(norm, one_thread_norm) << threads << " threads";
  }
  SetNumThreads(0);
}

}  // namespace
}  // namespace ampgrad::train
