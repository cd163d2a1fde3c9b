#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/op_testing.h"

namespace ampgrad {
namespace {

// ---- Add

void CheckAdd(Shape shape) {
  SCOPED_TRACE(shape.ToString());
  ExpectGradMatches(
      "add", [](Tape&, const Vars& v) { return ops::Add(v[0], v[1]); },
      [](const ComplexInputs& x) { return reference::Add(x[0], x[1]); },
      {{"x", Normal(shape, 0)}, {"y", Normal(shape, 1)}}, kSeed);
}

TEST(Add, GradMatchesComplexStep) {
  for (const Index n : {1, 3, 17, 33, 64}) CheckAdd({n});
  CheckAdd({});
  CheckAdd({5, 7});
  CheckAdd({2, 3, 5});
}

TEST(Add, SumsBothUsesOfOneInput) {
  ExpectGradMatches(
      "add", [](Tape&, const Vars& v) { return ops::Add(v[0], v[0]); },
      [](const ComplexInputs& x) { return reference::Add(x[0], x[0]); }, {{"x", Normal({3, 5}, 0)}}, kSeed);
}

TEST(Add, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 3}));
  for (const Shape& shape : {Shape{3, 2}, Shape{6}, Shape{3}, Shape{2, 4}, Shape{}, Shape{2, 3, 1}}) {
    ExpectRejects("add", [&] { ops::Add(x, tape.Constant(Tensor(shape))); });
  }
}

// ---- Mul

void CheckMul(Shape shape) {
  SCOPED_TRACE(shape.ToString());
  ExpectGradMatches(
      "mul", [](Tape&, const Vars& v) { return ops::Mul(v[0], v[1]); },
      [](const ComplexInputs& x) { return reference::Mul(x[0], x[1]); },
      {{"x", Normal(shape, 0)}, {"y", Normal(shape, 1)}}, kSeed);
}

TEST(Mul, GradMatchesComplexStep) {
  for (const Index n : {1, 3, 17, 33, 64}) CheckMul({n});
  CheckMul({});
  CheckMul({5, 7});
  CheckMul({2, 3, 5});
}

TEST(Mul, SumsBothUsesOfOneInput) {
  ExpectGradMatches(
      "mul", [](Tape&, const Vars& v) { return ops::Mul(v[0], v[0]); },
      [](const ComplexInputs& x) { return reference::Mul(x[0], x[0]); }, {{"x", Normal({3, 5}, 0)}}, kSeed);
}

TEST(Mul, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 3}));
  for (const Shape& shape : {Shape{3, 2}, Shape{6}, Shape{3}, Shape{2, 4}, Shape{}, Shape{2, 3, 1}}) {
    ExpectRejects("mul", [&] { ops::Mul(x, tape.Constant(Tensor(shape))); });
  }
}

// ---- Gelu and Silu

using Activation = Var (*)(const Var&);

void CheckGelu(Shape shape) {
  SCOPED_TRACE(shape.ToString());
  ExpectGradMatches(
      "gelu", [](Tape&, const Vars& v) { return ops::Gelu(v[0]); },
      [](const ComplexInputs& x) { return reference::Gelu(x[0]); }, {{"x", Normal(shape, 0, 2)}}, kSeed);
}

void CheckSilu(Shape shape) {
  SCOPED_TRACE(shape.ToString());
  ExpectGradMatches(
      "silu", [](Tape&, const Vars& v) { return ops::Silu(v[0]); },
      [](const ComplexInputs& x) { return reference::Silu(x[0]); }, {{"x", Normal(shape, 0, 2)}}, kSeed);
}

/// For large |x| both functions are x above 0 and 0 below, with slope 1 and 0. Tested at every index,
/// so that vector lanes and tails agree.
void CheckLargeInputs(Activation activation) {
  constexpr Index kSize = 37;
  for (Index at = 0; at < kSize; ++at) {
    Tensor x = Normal({kSize}, 0);
    x[at] = kNaN;
    x[(at + 1) % kSize] = 1e4;
    x[(at + 2) % kSize] = -1e4;
    auto params = Trainable({x});
    Tape tape;
    const Var y = activation(tape.Leaf(params[0]));
    Tensor ones({kSize});
    ones.Fill(1);
    tape.Backward(Probe(y, ones));
    const Tensor& dx = params[0].grad;
    for (Index i = 0; i < kSize; ++i) {
      EXPECT_EQ(std::isfinite(y.value[i]), i != at) << i;
      EXPECT_EQ(std::isfinite(dx[i]), i != at) << i;
    }
    EXPECT_TRUE(std::isnan(y.value[at])) << at;
    EXPECT_TRUE(std::isnan(dx[at])) << at;
    EXPECT_EQ(y.value[(at + 1) % kSize], Real(1e4));
    EXPECT_EQ(dx[(at + 1) % kSize], 1);
    EXPECT_NEAR(y.value[(at + 2) % kSize], 0, 1e-20);
    EXPECT_NEAR(dx[(at + 2) % kSize], 0, 1e-20);
  }
}

TEST(Gelu, GradMatchesComplexStep) {
  for (const Index n : {1, 3, 17, 33, 64}) CheckGelu({n});
  CheckGelu({});
  CheckGelu({5, 7});
  CheckGelu({2, 3, 5});
}

TEST(Gelu, HandlesLargeInputs) { CheckLargeInputs(ops::Gelu); }

TEST(Silu, GradMatchesComplexStep) {
  for (const Index n : {1, 3, 17, 33, 64}) CheckSilu({n});
  CheckSilu({});
  CheckSilu({5, 7});
  CheckSilu({2, 3, 5});
}

TEST(Silu, HandlesLargeInputs) { CheckLargeInputs(ops::Silu); }

}  // namespace
}  // namespace ampgrad
