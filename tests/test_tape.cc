#include <gtest/gtest.h>

#include <stdexcept>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "tests/expect_message.h"

namespace ampgrad {
namespace {

Param MakeParam(const std::vector<Real>& values, bool trainable = true) {
  return {"p", Tensor::FromValues({static_cast<Index>(values.size())}, values), {}, trainable};
}

// y = Σ x, the simplest loss.
Var Sum(const Var& x) {
  Real sum = 0;
  for (const Real value : x.value) sum += value;
  return x.tape->Record("sum", Tensor::Scalar(sum), {&x}, [](const Tensor& dy, InputGrads& d) {
    for (Real& dx : *d[0]) dx += dy[0];
  });
}

TEST(Tape, AddsTheGradientsOfADiamond) {
  // loss = Σ (x + x) ⊙ x = 2Σx², so dx = 4x: the leaf is reached on three ways.
  Param x = MakeParam({1, 2, 3});
  Tape tape;
  const Var v = tape.Leaf(x);
  tape.Backward(Sum(ops::Mul(ops::Add(v, v), v)));
  for (Index i = 0; i < 3; ++i) EXPECT_EQ(x.grad[i], 4 * x.value[i]);
}

TEST(Tape, AddsTheUsesOfAParameter) {
  Param x = MakeParam({1, 2});
  Tape tape;
  tape.Backward(Sum(ops::Mul(tape.Leaf(x), tape.Leaf(x))));  // two leaves, one parameter
  EXPECT_EQ(x.grad[0], 2);
  EXPECT_EQ(x.grad[1], 4);
}

TEST(Tape, SurvivesALongChain) {
  // No recursion: neither the backward pass nor the destruction of 100,000 nodes may eat the stack.
  Param x = MakeParam({1});
  Tape tape;
  const Var zero = tape.Constant(Tensor({1}));
  Var v = tape.Leaf(x);
  for (int i = 0; i < 100000; ++i) v = ops::Add(v, zero);
  tape.Backward(Sum(v));
  EXPECT_EQ(x.grad[0], 1);
}

TEST(Tape, RecordsNothingBelowFrozenInputs) {
  Param frozen = MakeParam({1, 2}, false), trained = MakeParam({3, 4});
  Tape tape;
  const Var x = tape.Leaf(frozen);
  const Var y = ops::Mul(x, x);
  EXPECT_FALSE(y.needs_grad());
  EXPECT_EQ(tape.size(), 0);
  tape.Backward(Sum(ops::Mul(y, tape.Leaf(trained))));
  EXPECT_TRUE(frozen.grad.empty());
  EXPECT_EQ(trained.grad[1], 4);
}

TEST(Tape, RecordsNothingInInference) {
  Param x = MakeParam({1, 2});
  Tape tape(Tape::Mode::kInference);
  const Var y = Sum(tape.Leaf(x));
  EXPECT_EQ(tape.size(), 0);
  ExpectMessage<std::invalid_argument>([&] { tape.Backward(y); }, "[backward] nothing below this loss is trained");
}

TEST(Tape, KeepsNoForwardValueAlive) {
  // Add saves nothing, so of a chain of sums only the last value is alive.
  Param x = {"x", Tensor({1000}), {}, true};
  Tape tape;
  Var v = tape.Leaf(x);
  const Index before = Tensor::LiveBytes();
  for (int i = 0; i < 10; ++i) v = ops::Add(v, v);
  EXPECT_LE(Tensor::LiveBytes() - before, static_cast<Index>(1024 * sizeof(Real)));
}

TEST(Tape, LetsGradientsGoAsItRuns) {
  Param x = {"x", Tensor({1000}), {}, true};
  const Index before = Tensor::LiveBytes();
  Tape tape;
  {
    Var v = tape.Leaf(x);
    for (int i = 0; i < 10; ++i) v = ops::Gelu(v);
    tape.Backward(Sum(v));
  }
  EXPECT_LE(Tensor::LiveBytes() - before, static_cast<Index>(1024 * sizeof(Real)));  // x.grad
}

TEST(Tape, RefusesWhatIsNoLoss) {
  Param x = MakeParam({1, 2});
  Tape tape, other;
  const Var v = tape.Leaf(x);
  ExpectMessage<std::invalid_argument>([&] { tape.Backward(v); }, "[backward] expected a scalar loss, found shape [2]");
  const Var loss = Sum(v);
  EXPECT_THROW(other.Backward(loss), std::invalid_argument);
  tape.Backward(loss);
  ExpectMessage<std::logic_error>([&] { tape.Backward(loss); },
                                  "[backward] this tape has run already: record the forward pass again");
}

TEST(Tape, RefusesInputsOfAnotherTape) {
  Param x = MakeParam({1});
  Tape one, two;
  const Var a = one.Leaf(x), b = two.Leaf(x);
  ExpectMessage<std::logic_error>([&] { ops::Add(a, b); }, "[add] an input belongs to another tape");
}

}  // namespace
}  // namespace ampgrad
