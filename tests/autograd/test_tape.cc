#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "tensor/kernels/kernels.h"
#include "tests/reference/numbers.h"
#include "tests/support/expect_message.h"

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
    for (Real& dx : *d.AddWithin(0)) dx += dy[0];
  });
}

TEST(Tape, AddsTheGradientsOfADiamond) {
  // loss = Σ (x + x) ⊙ x = 2Σx², so dx = 4x: the leaf is reached in three ways.
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
  // No recursion: neither the backward pass nor the destruction of 100,000 nodes may exhaust the stack.
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

TEST(Tape, GoesBackFromAnyGradient) {
  Param x = MakeParam({1, 2});
  Tape tape;
  const Var v = tape.Leaf(x);
  const Tensor dy = Tensor::FromValues({2}, {3, 5});
  tape.Backward(ops::Mul(v, v), dy);
  EXPECT_EQ(x.grad[0], 2 * 1 * 3);
  EXPECT_EQ(x.grad[1], 2 * 2 * 5);
  EXPECT_EQ(dy[0], 3);
}

TEST(Tape, RefusesAGradientOfAnotherShape) {
  Param x = MakeParam({1, 2});
  Tape tape, other;
  const Var v = tape.Leaf(x), y = ops::Mul(v, v);
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{3}, Shape{1, 2}, Shape{2, 1}}) {
    ExpectMessage<std::invalid_argument>([&] { tape.Backward(y, Tensor(shape)); },
                                         "[backward] expected a gradient of shape [2], found " + shape.ToString());
  }
  const std::string untrained = "[backward] nothing below this loss is trained";
  ExpectMessage<std::invalid_argument>([&] { tape.Backward(tape.Constant(Tensor({2})), Tensor({2})); }, untrained);
  ExpectMessage<std::invalid_argument>([&] { other.Backward(y, Tensor({2})); }, untrained);
  tape.Backward(y, Tensor({2}));  // the refused calls have not used up the tape
  ExpectMessage<std::logic_error>([&] { tape.Backward(y, Tensor({2})); },
                                  "[backward] this tape has run already: record the forward pass again");
}

// A parameter that is itself the output gets a copy of dy, added to its gradient.
TEST(Tape, AddsTheGradientOfAnOutputThatIsAParameter) {
  Param x = MakeParam({1, 2});
  const Tensor dy = Tensor::FromValues({2}, {3, 5});
  for (int pass = 1; pass <= 2; ++pass) {
    Tape tape;
    tape.Backward(tape.Leaf(x), dy);
    EXPECT_EQ(x.grad[0], 3 * pass);
    EXPECT_EQ(x.grad[1], 5 * pass);
    EXPECT_EQ(dy[0], 3);
  }
}

TEST(Tape, RefusesInputsOfAnotherTape) {
  Param x = MakeParam({1});
  Tape one, two;
  const Var a = one.Leaf(x), b = two.Leaf(x);
  ExpectMessage<std::logic_error>([&] { ops::Add(a, b); }, "[add] an input belongs to another tape");
}

// ---- Where gradients gather: Into, operator[] and Pass

// y = factor·x. The closure takes its sink, fills the output with NaN unless it adds to it, and only then writes.
Var Times(Real factor, const Var& x) {
  Tensor y = x.value.Clone();
  for (Real& element : y) element *= factor;
  return x.tape->Record("times", y, {&x}, [factor](const Tensor& dy, InputGrads& d) {
    const kernels::Sink dx = d.AddTo(0);
    if (dx.to != dx.onto) std::fill_n(dx.to, dy.size(), kNaN);
    for (Index i = 0; i < dy.size(); ++i) dx.to[i] = factor * dy[i] + (dx.onto ? dx.onto[i] : 0);
  });
}

void ExpectGradient(const Param& param, const std::vector<Real>& expected) {
  ASSERT_EQ(param.grad.shape(), param.value.shape());
  for (Index i = 0; i < param.grad.size(); ++i) EXPECT_EQ(param.grad[i], expected[static_cast<size_t>(i)]) << i;
}

TEST(InputGrads, TheFirstPartSetsTheNextAdd) {
  Param x = MakeParam({1, 2});
  std::vector<bool> sets;
  const auto part = [&](const Var& v) {
    return v.tape->Record("part", v.value.Clone(), {&v}, [&](const Tensor& dy, InputGrads& d) {
      const kernels::Sink dx = d.AddTo(0);
      sets.push_back(dx.onto == nullptr);
      EXPECT_TRUE(dx.onto == nullptr || dx.onto == dx.to);  // its own buffer, in place
      for (Index i = 0; i < dy.size(); ++i) dx.to[i] = dy[i] + (dx.onto ? dx.onto[i] : 0);
    });
  };
  Tape tape;
  const Var v = tape.Leaf(x);
  tape.Backward(Sum(ops::Mul(ops::Mul(part(v), part(v)), part(v))));
  EXPECT_EQ(sets, (std::vector<bool>{true, false, false}));
  ExpectGradient(x, {3, 12});
}

TEST(InputGrads, WhatABufferHeldBeforeItIsSetDoesNotMatter) {
  Param x = MakeParam({1, 2, 3});
  Tape tape;
  const Var v = tape.Leaf(x);
  tape.Backward(Sum(ops::Add(Times(2, Times(3, v)), Times(5, v))));
  ExpectGradient(x, {11, 11, 11});
}

TEST(InputGrads, AFrozenInputHasNoSink) {
  Param x = MakeParam({1, 2});
  Tape tape;
  const Var constant = tape.Constant(Tensor({2})), v = tape.Leaf(x);
  const Var y = tape.Record("two", Tensor({2}), {&constant, &v}, [](const Tensor& dy, InputGrads& d) {
    EXPECT_FALSE(d.AddTo(0));
    EXPECT_EQ(d.AddWithin(0), nullptr);
    d.Add(0, dy);
    d.Add(1, dy);
  });
  tape.Backward(Sum(y));
  ExpectGradient(x, {1, 1});
}

// Backward with an observer that keeps every dy. Expects that none has changed when the pass is over.
void BackwardWatched(Tape& tape, const Var& loss) {
  std::vector<std::pair<Tensor, Tensor>> seen;  // dy as it was given out, and a copy of its values
  tape.Backward(loss, [&](int, const Tensor& dy) { seen.emplace_back(dy, dy.Clone()); });
  EXPECT_GE(seen.size(), 3u);
  for (const auto& [kept, copy] : seen) EXPECT_TRUE(std::equal(kept.begin(), kept.end(), copy.begin()));
}

// y = x + x passes the same dy twice to one node: 2·dy, and dy itself as it was.
TEST(InputGrads, PassingTwiceDoubles) {
  for (const bool leaf : {true, false}) {
    Param x = MakeParam({1, 2});
    Tape tape;
    const Var v = leaf ? tape.Leaf(x) : Times(1, tape.Leaf(x));
    BackwardWatched(tape, Sum(Times(3, ops::Add(v, v))));
    ExpectGradient(x, {6, 6});
  }
}

// A residual: x's gradient shares its buffer with dy when f's part arrives. dy must not change. Both orders of the sum.
TEST(InputGrads, APartBesideASharedGradientLeavesItAlone) {
  for (const bool first : {true, false}) {
    Param x = MakeParam({1, 2});
    Tape tape;
    const Var v = Times(1, tape.Leaf(x)), f = Times(5, v);
    BackwardWatched(tape, Sum(first ? ops::Add(v, f) : ops::Add(f, v)));
    ExpectGradient(x, {6, 6});
  }
}

// The same with a part that is added in place: Sum runs after the sum op has passed its dy on.
TEST(InputGrads, AddingInPlaceToASharedGradientLeavesItAlone) {
  Param x = MakeParam({1, 2});
  Tape tape;
  const Var v = Times(1, tape.Leaf(x)), sum = Sum(v);
  BackwardWatched(tape, ops::Add(Sum(ops::Add(v, tape.Constant(Tensor({2})))), sum));
  ExpectGradient(x, {2, 2});
}

// The gradients of both sides of a sum share one buffer. Then each side gets another part.
TEST(InputGrads, SidesOfASumPartAgain) {
  Param x = MakeParam({1, 2}), y = MakeParam({3, 4});
  Tape tape;
  const Var a = Times(1, tape.Leaf(x)), b = Times(1, tape.Leaf(y));
  const Var more = ops::Add(Times(2, a), Times(7, b));
  tape.Backward(Sum(ops::Add(more, ops::Add(a, b))));
  ExpectGradient(x, {3, 3});
  ExpectGradient(y, {8, 8});
}

TEST(InputGrads, AddsUpInADiamondOfSums) {
  // s = x + x, t = s + x, loss = Σ(t + s) ⊙ t: (5x)(3x), so dx = 30x.
  Param x = MakeParam({1, -2});
  Tape tape;
  const Var v = tape.Leaf(x), s = ops::Add(v, v), t = ops::Add(s, v);
  tape.Backward(Sum(ops::Mul(ops::Add(t, s), t)));
  ExpectGradient(x, {30, -60});
}

// A closure may take the sinks of all its inputs before it writes to any, even if several inputs are the same node.
TEST(InputGrads, SinksOfOneNodeMayBeTakenTogether) {
  for (const bool two_leaves : {false, true}) {
    Param x = MakeParam({1, 2});
    Tape tape;
    const Var a = tape.Leaf(x), b = two_leaves ? tape.Leaf(x) : a;
    const Var y = tape.Record("together", Tensor({2}), {&a, &b}, [](const Tensor& dy, InputGrads& d) {
      const kernels::Sink first = d.AddTo(0), second = d.AddTo(1);
      for (Index i = 0; i < 2; ++i) second.to[i] = 5 * dy[i] + (second.onto ? second.onto[i] : 0);
      for (Index i = 0; i < 2; ++i) first.to[i] = 2 * dy[i] + (first.onto ? first.onto[i] : 0);
    });
    tape.Backward(Sum(y));
    ExpectGradient(x, {7, 7});
  }
}

// An optimiser scales gradients in place, so no two parameters may share the buffer of theirs.
TEST(InputGrads, EveryParameterHasAGradientOfItsOwn) {
  Param x = MakeParam({1, 2}), y = MakeParam({3, 4});
  Tape tape;
  Tensor observed;
  tape.Backward(Sum(ops::Add(tape.Leaf(x), tape.Leaf(y))), [&](int, const Tensor& dy) { observed = dy; });
  kernels::Scale(10, x.grad.data(), 2);
  ExpectGradient(x, {10, 10});
  ExpectGradient(y, {1, 1});
  EXPECT_EQ(observed[0], 1);
}

// If its owner keeps the first gradient, it does not change: a second pass adds to another buffer.
TEST(InputGrads, AKeptGradientSurvivesASecondPass) {
  for (const int way : {0, 1, 2}) {
    Param x = MakeParam({1, 2});
    const auto pass = [&] {
      Tape tape;
      const Var v = tape.Leaf(x);
      tape.Backward(way == 0 ? Sum(v) : way == 1 ? Sum(Times(1, v)) : Sum(ops::Add(v, tape.Constant(Tensor({2})))));
    };
    pass();
    const Tensor kept = x.grad;
    pass();
    ExpectGradient(x, {2, 2});
    EXPECT_EQ(kept[0], 1);
    EXPECT_EQ(kept[1], 1);
    x.grad = Tensor();
    pass();
    ExpectGradient(x, {1, 1});
  }
}

}  // namespace
}  // namespace ampgrad
