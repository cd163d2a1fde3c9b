#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/op_testing.h"

namespace ampgrad {
namespace {

// ---- Rotary

/// 1, then falling by a constant factor, as in the models, down to 1/100.
Tensor InverseFrequencies(Index dim) {
  Tensor f({dim / 2});
  for (Index j = 0; j < f.size(); ++j) {
    f[j] = static_cast<Real>(std::pow(100.0, -2.0 * static_cast<double>(j) / static_cast<double>(dim)));
  }
  return f;
}

void CheckRotary(Index batch, Index length, Index heads, Index dim, Index offset = 0) {
  SCOPED_TRACE(Sizes({batch, length, heads, dim, offset}));
  const Index rows = batch * length;
  const Tensor frequencies = InverseFrequencies(dim);
  ExpectGradMatches(
      "rotary",
      [&](Tape&, const Vars& v) { return ops::Rotary(v[0], ops::MakeRotaryTable(frequencies, length, offset)); },
      [&](const ComplexInputs& x) {
        return reference::Rotary(x[0], ToDoubles(frequencies), rows, length, heads, offset);
      },
      {{"x", Normal({rows, heads * dim}, 0)}}, kSeed);
}

TEST(Rotary, GradMatchesComplexStep) {
  for (const Index batch : {1, 3}) {
    for (const Index length : {1, 2, 7}) {
      for (const Index heads : {1, 3}) {
        for (const Index dim : {2, 6, 10, 18}) CheckRotary(batch, length, heads, dim);
      }
    }
  }
  CheckRotary(2, 3, 2, 6, 1);
  CheckRotary(1, 1, 2, 6, 11);
}

TEST(Rotary, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({4, 6}));
  ExpectRejects("rotary", [&] { ops::Rotary(x, ops::MakeRotaryTable(InverseFrequencies(4), 4)); });
  ExpectRejects("rotary", [&] { ops::Rotary(x, ops::MakeRotaryTable(InverseFrequencies(12), 4)); });
  ExpectRejects("rotary", [&] { ops::Rotary(x, ops::MakeRotaryTable(InverseFrequencies(6), 3)); });
  ExpectRejects("rotary_table", [&] { ops::MakeRotaryTable(InverseFrequencies(6), 0); });
  ExpectRejects("rotary_table", [&] { ops::MakeRotaryTable(InverseFrequencies(6), 4, -1); });
}

// A rotation is orthogonal: dX is dY turned by the opposite angles, and turning dX again gives dY.
TEST(Rotary, BackwardIsTheInverseRotation) {
  constexpr Index kBatch = 2, kLength = 5, kHeads = 3, kDim = 10;
  const Shape shape{kBatch * kLength, kHeads * kDim};
  const Tensor frequencies = InverseFrequencies(kDim);
  const Tensor dY = Normal(shape, 1);
  auto params = Trainable({Normal(shape, 0)});
  Backpropagate([&](Tape&, const Vars& v) { return ops::Rotary(v[0], ops::MakeRotaryTable(frequencies, kLength)); },
                params, dY);
  const Tensor& dx = params[0].grad;

  std::vector<double> opposite;
  for (const Real f : frequencies) opposite.push_back(-f);
  const auto expected = reference::Rotary(ToDoubles(dY), opposite, kBatch * kLength, kLength, kHeads);
  EXPECT_TRUE(Compare(dx, expected).Passed());

  Tape tape;
  const Tensor back = ops::Rotary(tape.Constant(dx), ops::MakeRotaryTable(frequencies, kLength)).value;
  EXPECT_TRUE(Compare(back, ToDoubles(dY)).Passed());
}

// ---- CausalAttention

void CheckAttention(Index batch, Index length, Index heads, Index kv_heads, Index dim, Index offset = 0) {
  SCOPED_TRACE(Sizes({batch, length, heads, kv_heads, dim, offset}));
  const Index rows = batch * length, kv_rows = batch * (offset + length);
  ExpectGradMatches(
      "causal_attention",
      [=](Tape&, const Vars& v) { return ops::CausalAttention(v[0], v[1], v[2], length, heads, kv_heads, offset); },
      [=](const ComplexInputs& x) {
        return reference::CausalAttention(x[0], x[1], x[2], rows, length, heads, kv_heads, dim, offset);
      },
      {{"q", Normal({rows, heads * dim}, 0)},
       {"k", Normal({kv_rows, kv_heads * dim}, 1)},
       {"v", Normal({kv_rows, kv_heads * dim}, 2)}},
      kSeed);
}

TEST(CausalAttention, GradMatchesComplexStep) {
  for (const Index batch : {1, 3}) {
    for (const Index length : {1, 5, 7}) {
      for (const Index dim : {2, 5, 8}) {
        CheckAttention(batch, length, 1, 1, dim);
        CheckAttention(batch, length, 2, 1, dim);
        CheckAttention(batch, length, 3, 3, dim);
        CheckAttention(batch, length, 4, 2, dim);
      }
    }
  }
  CheckAttention(1, 5, 4, 1, 3);
  CheckAttention(1, 5, 3, 1, 1);
  CheckAttention(1, 35, 1, 1, 3);
  CheckAttention(1, 3, 2, 1, 19);
  CheckAttention(1, 1, 4, 2, 3, 6);
  CheckAttention(3, 2, 3, 3, 5, 1);
  CheckAttention(2, 5, 4, 2, 8, 7);
}

TEST(CausalAttention, RejectsWrongShape) {
  Tape tape;
  auto zeros = [&](Index rows, Index cols) { return tape.Constant(Tensor({rows, cols})); };
  const Var q = zeros(6, 8), kv = zeros(6, 4);
  auto rejects = [](const Var& q, const Var& k, const Var& v, Index length, Index heads, Index kv_heads) {
    ExpectRejects("causal_attention", [&] { ops::CausalAttention(q, k, v, length, heads, kv_heads); });
  };
  EXPECT_NO_THROW(ops::CausalAttention(q, kv, kv, 3, 4, 2));
  rejects(q, kv, kv, 4, 4, 2);           // six rows are not a whole number of sequences of four
  rejects(q, kv, kv, 0, 4, 2);           // no length
  rejects(q, kv, kv, 3, 3, 1);           // eight columns do not split into three heads
  rejects(q, zeros(6, 6), kv, 3, 4, 2);  // k has another width than v
  rejects(q, kv, zeros(6, 6), 3, 4, 2);
  rejects(q, kv, kv, 3, 4, 1);           // G·D is 2, not 4
  rejects(q, zeros(5, 4), kv, 3, 4, 2);  // rows differ
  rejects(q, kv, zeros(5, 4), 3, 4, 2);
  rejects(zeros(6, 12), zeros(6, 8), zeros(6, 8), 3, 3, 2);  // three heads cannot share two
  rejects(q, kv, kv, 3, 0, 2);
  rejects(q, kv, kv, 3, 4, 0);
  const auto behind = [&](Index rows, Index offset) {
    ops::CausalAttention(q, zeros(rows, 4), zeros(rows, 4), 3, 4, 2, offset);
  };
  EXPECT_NO_THROW(behind(10, 2));                             // two sequences of three queries, five keys each
  ExpectRejects("causal_attention", [&] { behind(6, 2); });   // no keys for the positions before
  ExpectRejects("causal_attention", [&] { behind(4, -1); });  // a query before the sequence
}

TEST(CausalAttention, RejectsWrongBorders) {
  Tape tape;
  const Var q = tape.Constant(Tensor({6, 8})), kv = tape.Constant(Tensor({6, 4}));
  const auto run = [&](const std::vector<Index>& borders, Index offset = 0) {
    ops::CausalAttention(q, kv, kv, 0, 4, 2, offset, std::make_shared<const std::vector<Index>>(borders));
  };
  EXPECT_NO_THROW(run({0, 6}));
  EXPECT_NO_THROW(run({0, 1, 6}));
  for (const std::vector<Index>& wrong :
       {std::vector<Index>{}, {0}, {0, 5}, {1, 6}, {0, 7}, {0, 3, 3, 6}, {0, 4, 2, 6}}) {
    ExpectRejects("causal_attention", [&] { run(wrong); });
  }
  ExpectRejects("causal_attention", [&] { run({0, 6}, 1); });  // keys of before, of which there are none
}

// Large values behind the mask or in another sequence change no bit of what a row computes or
// receives. (There is no such promise for NaN behind the mask.)
TEST(CausalAttention, LeaksNothingAcrossTheMask) {
  constexpr Index kBatch = 2, kLength = 7, kHeads = 4, kKvHeads = 2, kDim = 5;
  constexpr Index kRows = kBatch * kLength;
  auto attention = [](Tape&, const Vars& v) {
    return ops::CausalAttention(v[0], v[1], v[2], kLength, kHeads, kKvHeads);
  };
  const std::vector<Tensor> inputs = {Normal({kRows, kHeads * kDim}, 0), Normal({kRows, kKvHeads * kDim}, 1),
                                      Normal({kRows, kKvHeads * kDim}, 2)};
  auto forward = [&](const std::vector<Tensor>& x) {
    Tape tape;
    return attention(tape, {tape.Constant(x[0]), tape.Constant(x[1]), tape.Constant(x[2])}).value;
  };
  const Tensor before = forward(inputs);

  for (Index t = 0; t < kRows; ++t) {  // row t sees first..t of its sequence
    const Index first = t - t % kLength;
    for (const Real other : {Real(3), Real(1e6)}) {
      std::vector<Tensor> changed;
      for (const Tensor& x : inputs) {
        changed.push_back(x.Clone());
        for (Index i = 0; i < kRows; ++i) {
          if (i < first || i > t) std::fill_n(changed.back().row(i), x.cols(), other);
        }
      }
      const Tensor after = forward(changed);
      for (Index i = first; i <= t; ++i) {
        for (Index j = 0; j < after.cols(); ++j) {
          EXPECT_EQ(after.row(i)[j], before.row(i)[j])
              << "row " << i << ", with rows " << first << ".." << t << " kept";
        }
      }
    }

    // The loss reads rows first..t only.
    Tensor dY({kRows, kHeads * kDim});
    for (Index i = first; i <= t; ++i) std::fill_n(dY.row(i), dY.cols(), Real(1.5));
    auto params = Trainable(inputs);
    Backpropagate(attention, params, dY);
    for (const Param& param : params) {
      for (Index i = 0; i < kRows; ++i) {
        if (i >= first && i <= t) continue;
        for (Index j = 0; j < param.grad.cols(); ++j) EXPECT_EQ(param.grad.row(i)[j], 0);
      }
    }
    EXPECT_GT(Norm(params[2].grad.row(first), params[2].grad.cols()), 0);
  }
}

// ---- CausalSelfAttention

void CheckSelfAttention(Index batch, Index length, Index heads, Index dim) {
  SCOPED_TRACE(Sizes({batch, length, heads, dim}));
  const Index rows = batch * length, channels = heads * dim;
  ExpectGradMatches(
      "causal_self_attention", [=](Tape&, const Vars& v) { return ops::CausalSelfAttention(v[0], length, heads); },
      [=](const ComplexInputs& x) {
        const auto part = [&](Index i) { return reference::Columns(x[0], rows, 3 * channels, i * channels, channels); };
        return reference::CausalAttention(part(0), part(1), part(2), rows, length, heads, heads, dim);
      },
      {{"qkv", Normal({rows, 3 * channels}, 0)}}, kSeed);
}

TEST(CausalSelfAttention, GradMatchesComplexStep) {
  for (const Index length : {1, 5, 7}) {
    CheckSelfAttention(1, length, 1, 5);
    CheckSelfAttention(3, length, 3, 2);
    CheckSelfAttention(2, length, 2, 17);
  }
}

// A second pass adds to the buffer that holds the gradient of the first.
TEST(CausalSelfAttention, AddsToAGradientThatIsThere) {
  auto params = Trainable({Normal({6, 24}, 0)});
  const auto attention = [](Tape&, const Vars& v) { return ops::CausalSelfAttention(v[0], 3, 2); };
  const Tensor dY = Normal({6, 8}, 1);
  Backpropagate(attention, params, dY);
  const Tensor once = params[0].grad.Clone();
  Backpropagate(attention, params, dY);
  for (Index i = 0; i < once.size(); ++i) {
    EXPECT_NEAR(params[0].grad[i], 2 * once[i], 20 * std::numeric_limits<Real>::epsilon() * (1 + std::abs(once[i])));
  }
}

TEST(CausalSelfAttention, RejectsWrongShape) {
  Tape tape;
  const Var qkv = tape.Constant(Tensor({6, 24}));
  const auto rejects = [](const Var& qkv, Index length, Index heads) {
    ExpectRejects("causal_self_attention", [&] { ops::CausalSelfAttention(qkv, length, heads); });
  };
  EXPECT_NO_THROW(ops::CausalSelfAttention(qkv, 3, 2));
  rejects(qkv, 4, 2);                             // six rows are not a whole number of sequences of four
  rejects(qkv, 0, 2);                             // no length
  rejects(qkv, 3, 3);                             // eight columns do not split into three heads
  rejects(qkv, 3, 0);                             // no heads
  rejects(tape.Constant(Tensor({6, 25})), 3, 2);  // 25 columns are not three equal parts
}

TEST(CausalAttention, HandlesLargeScores) {
  constexpr Index kLength = 5, kDim = 4;
  auto params =
      Trainable({Normal({kLength, kDim}, 0, 1e4), Normal({kLength, kDim}, 1, 1e2), Normal({kLength, kDim}, 2)});
  Tape tape;
  const Var y = ops::CausalAttention(tape.Leaf(params[0]), tape.Leaf(params[1]), tape.Leaf(params[2]), kLength, 1, 1);
  tape.Backward(Probe(y, Normal({kLength, kDim}, 3)));
  for (const Real element : y.value) EXPECT_TRUE(std::isfinite(element));
  for (const Param& param : params) {
    for (const Real element : param.grad) EXPECT_TRUE(std::isfinite(element));
  }
}

}  // namespace
}  // namespace ampgrad
