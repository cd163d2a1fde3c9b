#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tensor/kernels/kernels.h"
#include "tests/support/op_testing.h"

namespace ampgrad {
namespace {

// ---- Embedding

void CheckEmbedding(Index rows, Index cols, const std::vector<int>& ids) {
  SCOPED_TRACE(Sizes({rows, cols, static_cast<Index>(ids.size())}));
  ExpectGradMatches(
      "embedding", [&](Tape&, const Vars& v) { return ops::Embedding(v[0], ids); },
      [&](const ComplexInputs& x) { return reference::Embedding(x[0], ids, cols); },
      {{"table", Normal({rows, cols}, 0)}}, kSeed);
}

TEST(Embedding, GradMatchesComplexStep) {
  CheckEmbedding(1, 1, {0});
  CheckEmbedding(1, 3, {0, 0, 0});
  for (const Index cols : {1, 3, 17, 33}) {
    CheckEmbedding(7, cols, {4});
    CheckEmbedding(7, cols, {6, 0, 3, 3, 6, 6, 1});  // repeated ids add up; rows 2, 4 and 5 get nothing
  }
}

TEST(Embedding, RejectsWrongShape) {
  Tape tape;
  ExpectRejects("embedding", [&] { ops::Embedding(tape.Constant(Tensor({4})), {0}); });
  ExpectRejects("embedding", [&] { ops::Embedding(tape.Constant(Tensor({2, 4, 3})), {0}); });
}

TEST(Embedding, RejectsIdsOutsideTheTable) {
  Tape tape;
  const Var table = tape.Constant(Tensor({4, 3}));
  ExpectRejects("embedding", [&] { ops::Embedding(table, {0, 4}); });
  ExpectRejects("embedding", [&] { ops::Embedding(table, {-1, 0}); });
  ExpectRejects("embedding", [&] { ops::Embedding(table, {std::numeric_limits<int>::max()}); });
  ExpectRejects("embedding", [&] { ops::Embedding(table, {std::numeric_limits<int>::min()}); });
}

// ---- Linear

void CheckLinear(Index rows, Index in, Index out, Layout layout, bool with_bias) {
  const bool out_in = layout == Layout::kOutIn;
  SCOPED_TRACE(Sizes({rows, in, out}) + (out_in ? " kOutIn" : " kInOut") +
               (with_bias ? " with bias" : " without bias"));
  std::vector<CheckInput> inputs = {{"x", Normal({rows, in}, 0)},
                                    {"weight", Normal(out_in ? Shape{out, in} : Shape{in, out}, 1)}};
  if (with_bias) inputs.push_back({"bias", Normal({out}, 2)});
  ExpectGradMatches(
      "linear", [&](Tape&, const Vars& v) { return ops::Linear(v[0], v[1], layout, with_bias ? &v[2] : nullptr); },
      [&](const ComplexInputs& x) {
        const std::vector<Complex> bias = with_bias ? x[2] : std::vector<Complex>();
        return out_in ? reference::LinearOutIn(x[0], x[1], bias, rows, in, out)
                      : reference::LinearInOut(x[0], x[1], bias, rows, in, out);
      },
      inputs, kSeed);
}

TEST(Linear, GradMatchesComplexStep) {
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    for (const bool with_bias : {false, true}) {
      for (const Index rows : {1, 3, 5}) {
        for (const Index in : {1, 3, 17}) {
          for (const Index out : {1, 4, 33}) CheckLinear(rows, in, out, layout, with_bias);
        }
      }
      CheckLinear(17, 17, 17, layout, with_bias);
      CheckLinear(2, 70, 65, layout, with_bias);
      CheckLinear(67, 5, 9, layout, with_bias);
    }
  }
}

TEST(Linear, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 3}));
  const Var square = tape.Constant(Tensor({3, 3}));
  const Var bias = tape.Constant(Tensor({4}));
  auto weight = [&](Shape shape) { return tape.Constant(Tensor(shape)); };
  ExpectRejects("linear", [&] { ops::Linear(x, weight({3, 4}), Layout::kOutIn, nullptr); });
  ExpectRejects("linear", [&] { ops::Linear(x, weight({4, 3}), Layout::kInOut, nullptr); });
  ExpectRejects("linear", [&] { ops::Linear(x, weight({3}), Layout::kOutIn, nullptr); });
  ExpectRejects("linear", [&] { ops::Linear(x, weight({2, 2, 3}), Layout::kOutIn, nullptr); });
  ExpectRejects("linear", [&] { ops::Linear(x, square, Layout::kOutIn, &bias); });
  ExpectRejects("linear", [&] { ops::Linear(x, square, Layout::kInOut, &bias); });
}

TEST(Linear, FrozenInputsGetNoGradient) {
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    const Tensor x = Normal({5, 3}, 0);
    const Tensor weight = Normal(layout == Layout::kOutIn ? Shape{4, 3} : Shape{3, 4}, 1);
    const Tensor dY = Normal({5, 4}, 2);
    auto op = [&](Tape&, const Vars& v) { return ops::Linear(v[0], v[1], layout, nullptr); };
    // dX = dY·W with W [out, in].
    const Tensor w = layout == Layout::kOutIn ? weight : kernels::Transposed(weight);
    const std::vector<double> expected = reference::LinearInOut<double>(ToDoubles(dY), ToDoubles(w), {}, 5, 4, 3);

    auto params = Trainable({x, weight});
    params[1].trainable = false;
    Backpropagate(op, params, dY);
    EXPECT_TRUE(params[1].grad.empty());
    EXPECT_TRUE(Compare(params[0].grad, expected).Passed());

    auto other = Trainable({x, weight});
    other[0].trainable = false;
    Backpropagate(op, other, dY);
    EXPECT_TRUE(other[0].grad.empty());
    EXPECT_EQ(other[1].grad.shape(), weight.shape());

    Tape tape;
    const Var y = op(tape, {tape.Constant(x), tape.Constant(weight)});
    EXPECT_FALSE(y.needs_grad());
    EXPECT_EQ(tape.size(), 0);
  }
}

}  // namespace
}  // namespace ampgrad
