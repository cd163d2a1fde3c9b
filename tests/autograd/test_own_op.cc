#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <vector>

#include "autograd/check.h"
#include "tests/support/op_testing.h"

/// Write your own op: a walk-through that is a test. The op is y = g_j·tanh(x_nj), which the library does not have.
/// autograd/README.md says how an op that has passed here becomes one of the library.
namespace ampgrad {
namespace {

// 1. The op. Write the block first: it is the specification, and the code below repeats it in the same letters.

// GainedTanh   y = tanh(x) ⊙ g
//   shapes    x, y [N, d]   g [d]
//   forward   t = tanh(x),  y_nj = t_nj·g_j
//   backward  dx_nj += dy_nj·g_j·(1 − t_nj²),  dg_j += Σ_n dy_nj·t_nj
//   saves     t, and g if x needs a gradient
Var GainedTanh(const Var& x, const Var& g) {
  ops::CheckShapes(x.shape().rank() == 2 && g.shape() == Shape{x.shape().cols()}, "gained_tanh", "x [N, d], g [d]",
                   {{"x", x.shape()}, {"g", g.shape()}});

  const Index d = x.shape().cols();
  Tensor t = Tensor::Uninitialized(x.shape()), y = Tensor::Uninitialized(x.shape());
  for (Index i = 0; i < t.size(); ++i) {
    t[i] = std::tanh(x.value[i]);
    y[i] = t[i] * g.value[i % d];
  }

  // What the closure captures is what the pass keeps in memory: exactly the `saves` line. It captures tensors, never a
  // Var. AddWithin is null for an input that needs no gradient.
  const auto backward = [d, t, g = x.needs_grad() ? g.value : Tensor()](const Tensor& dy, InputGrads& grads) {
    if (Tensor* dx = grads.AddWithin(0)) {
      for (Index i = 0; i < dy.size(); ++i) (*dx)[i] += dy[i] * g[i % d] * (1 - t[i] * t[i]);
    }
    if (Tensor* dg = grads.AddWithin(1)) {
      for (Index i = 0; i < dy.size(); ++i) (*dg)[i % d] += dy[i] * t[i];
    }
  };
  return x.tape->Record("gained_tanh", y, {&x, &g}, backward);
}

// 2. The reference: the forward once more, from the definition alone, on complex numbers. No gradient is written here.

std::vector<Complex> GainedTanhReference(const std::vector<Complex>& x, const std::vector<Complex>& g) {
  std::vector<Complex> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = std::tanh(x[i]) * g[i % g.size()];
  return y;
}

// 3. The check: every entry of every gradient, for a random dY, against the complex-step derivative Im f(x + ih) / h.

GradReport Check(const OpFn& op, Index rows, Index d) {
  return CheckGrad(
      "gained_tanh", op, [](const ComplexInputs& x) { return GainedTanhReference(x[0], x[1]); },
      {{"x", Normal({rows, d}, 0)}, {"g", Normal({d}, 1)}}, kSeed);
}

TEST(OwnOp, GradMatchesComplexStep) {
  for (const Index rows : {1, 3}) {
    for (const Index d : {1, 5, 17}) {
      const GradReport report = Check([](Tape&, const Vars& v) { return GainedTanh(v[0], v[1]); }, rows, d);
      EXPECT_TRUE(report.Passed()) << report.ToString();
    }
  }
}

// 4. The doubt: a check is worth what it catches. Break the backward, and see it refused.

TEST(OwnOp, TheCheckRefusesABackwardThatForgetsTheGain) {
  const auto broken = [](Tape& tape, const Vars& v) {
    Tensor t = v[0].value.Clone();
    for (Real& entry : t) entry = std::tanh(entry);
    const Tensor y = GainedTanh(tape.Constant(v[0].value), tape.Constant(v[1].value)).value;
    return tape.Record("broken", y, {&v[0], &v[1]}, [t](const Tensor& dy, InputGrads& grads) {
      for (Index i = 0; i < dy.size(); ++i) {
        (*grads.AddWithin(0))[i] += dy[i] * (1 - t[i] * t[i]);  // without g
        (*grads.AddWithin(1))[i % t.cols()] += dy[i] * t[i];
      }
    });
  };
  const GradReport report = Check(broken, 3, 5);
  ASSERT_EQ(report.inputs.size(), 2u);
  EXPECT_TRUE(report.forward.Passed());
  EXPECT_FALSE(report.inputs[0].Passed());
  EXPECT_TRUE(report.inputs[1].Passed());
}

// 5. What it must refuse, in a sentence that begins with its name; and what must cost nothing.

TEST(OwnOp, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 3}));
  for (const Shape& shape : {Shape{2}, Shape{1, 3}, Shape{}}) {
    ExpectRejects("gained_tanh", [&] { GainedTanh(x, tape.Constant(Tensor(shape))); });
  }
}

TEST(OwnOp, RecordsNothingWhenNothingTrains) {
  Tape tape;
  GainedTanh(tape.Constant(Normal({2, 3}, 0)), tape.Constant(Normal({3}, 1)));
  EXPECT_EQ(tape.size(), 0);
}

}  // namespace
}  // namespace ampgrad
