#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "tests/grad_check.h"
#include "tests/reference/ops.h"

/// Every op against its scalar reference, forward and gradient, at sizes that leave every kind of
/// vector tail; then what each op must refuse, and the identities its gradient must obey.
namespace ampgrad {
namespace {

using Vars = std::vector<Var>;
using ComplexInputs = std::vector<std::vector<Complex>>;
using ops::Layout;

constexpr uint64_t kSeed = 7;
constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<Real>::epsilon();

/// Normal numbers; another `stream` for every tensor of a test.
Tensor Normal(Shape shape, uint64_t stream, double stddev = 1) {
  return Random(kSeed, stream).NormalTensor(shape, stddev);
}

/// The sizes of a case, for the trace of a failure.
std::string Sizes(const std::vector<Index>& sizes) {
  std::string text = "sizes";
  for (const Index size : sizes) text += " " + std::to_string(size);
  return text;
}

/// Expects std::invalid_argument with a message that starts with "[op]".
void ExpectRejects(const std::string& op, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "[" << op << "] accepted what it must reject";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).rfind("[" + op + "]", 0), 0u) << error.what();
  }
}

/// The gradients of `params` for the incoming gradient dY.
void Backpropagate(const OpFn& op, std::vector<Param>& params, const Tensor& dY) {
  Tape tape;
  Vars vars;
  for (Param& param : params) vars.push_back(tape.Leaf(param));
  tape.Backward(Probe(op(tape, vars), dY));
}

std::vector<Param> Trainable(const std::vector<Tensor>& values) {
  std::vector<Param> params;
  for (const Tensor& value : values) params.push_back({"", value, {}, true});
  return params;
}

double Norm(const Real* a, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * a[i];
  return std::sqrt(sum);
}

double Dot(const Real* a, const Real* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

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

/// Both functions are x above and 0 below, with slope 1 and 0. At every index, so that vector lanes
/// and tails agree.
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

// ---- Columns

void CheckColumns(Index rows, Index cols, Index begin, Index width) {
  SCOPED_TRACE(Sizes({rows, cols, begin, width}));
  ExpectGradMatches(
      "columns", [=](Tape&, const Vars& v) { return ops::Columns(v[0], begin, width); },
      [=](const ComplexInputs& x) { return reference::Columns(x[0], rows, cols, begin, width); },
      {{"x", Normal({rows, cols}, 0)}}, kSeed);
}

TEST(Columns, GradMatchesComplexStep) {
  CheckColumns(1, 1, 0, 1);
  for (const Index rows : {1, 3}) {
    CheckColumns(rows, 33, 0, 33);
    CheckColumns(rows, 33, 0, 17);
    CheckColumns(rows, 33, 16, 17);
    CheckColumns(rows, 33, 5, 3);
    CheckColumns(rows, 33, 32, 1);
  }
}

// As query, key and value are cut from one matrix: three parts that cover x, added into one
// gradient.
TEST(Columns, PartsAddIntoOneGradient) {
  constexpr Index kRows = 3, kPart = 5;
  ExpectGradMatches(
      "columns",
      [](Tape&, const Vars& v) {
        const Var q = ops::Columns(v[0], 0, kPart);
        const Var k = ops::Columns(v[0], kPart, kPart);
        const Var w = ops::Columns(v[0], 2 * kPart, kPart);
        return ops::Add(ops::Mul(q, k), ops::Mul(w, q));
      },
      [](const ComplexInputs& x) {
        const auto q = reference::Columns(x[0], kRows, 3 * kPart, 0, kPart);
        const auto k = reference::Columns(x[0], kRows, 3 * kPart, kPart, kPart);
        const auto w = reference::Columns(x[0], kRows, 3 * kPart, 2 * kPart, kPart);
        return reference::Add(reference::Mul(q, k), reference::Mul(w, q));
      },
      {{"x", Normal({kRows, 3 * kPart}, 0)}}, kSeed);
}

TEST(Columns, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 6}));
  ExpectRejects("columns", [&] { ops::Columns(x, -1, 3); });
  ExpectRejects("columns", [&] { ops::Columns(x, 4, 3); });
  ExpectRejects("columns", [&] { ops::Columns(x, 0, 7); });
  ExpectRejects("columns", [&] { ops::Columns(x, 7, 0); });
  ExpectRejects("columns", [&] { ops::Columns(x, 3, -1); });
  ExpectRejects("columns", [&] { ops::Columns(x, 2, std::numeric_limits<Index>::max()); });
}

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
    const Tensor w = layout == Layout::kOutIn ? weight : weight.Transposed();
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

// ---- LayerNorm and RmsNorm

/// With a single column the normalised x is 0 (LayerNorm) or nearly ±1 (RmsNorm), and the gradient
/// of x is nothing but what eps leaves; a small eps would leave only rounding.
Real EpsFor(Index cols) { return cols == 1 ? Real(0.5) : Real(1e-5); }

void CheckLayerNorm(Index rows, Index cols) {
  SCOPED_TRACE(Sizes({rows, cols}));
  const Real eps = EpsFor(cols);
  Tensor x = Normal({rows, cols}, 0, 2);
  for (Real& element : x) element += 1;  // a mean that must be taken away
  ExpectGradMatches(
      "layer_norm", [=](Tape&, const Vars& v) { return ops::LayerNorm(v[0], v[1], v[2], eps); },
      [=](const ComplexInputs& v) { return reference::LayerNorm(v[0], v[1], v[2], rows, cols, eps); },
      {{"x", x}, {"gain", Normal({cols}, 1)}, {"bias", Normal({cols}, 2)}}, kSeed);
}

TEST(LayerNorm, GradMatchesComplexStep) {
  for (const Index rows : {1, 3, 5}) {
    for (const Index cols : {1, 3, 8, 17, 33}) CheckLayerNorm(rows, cols);
  }
}

TEST(LayerNorm, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 3}));
  const Var three = tape.Constant(Tensor({3}));
  const Var four = tape.Constant(Tensor({4}));
  ExpectRejects("layer_norm", [&] { ops::LayerNorm(x, four, three, Real(1e-5)); });
  ExpectRejects("layer_norm", [&] { ops::LayerNorm(x, three, four, Real(1e-5)); });
}

// x̂ does not change when x moves along 1 or along itself (for a vanishing eps), so dx has no part
// along either.
TEST(LayerNorm, InputGradientIsOrthogonalToXHat) {
  constexpr Index kRows = 5, kCols = 33;
  constexpr Real kTinyEps = 1e-12;
  auto params = Trainable({Normal({kRows, kCols}, 0, 2), Normal({kCols}, 1), Normal({kCols}, 2)});
  Backpropagate([&](Tape&, const Vars& v) { return ops::LayerNorm(v[0], v[1], v[2], kTinyEps); }, params,
                Normal({kRows, kCols}, 3));
  const std::vector<double> ones(kCols, 1), zeros(kCols, 0);
  const std::vector<double> x_hat =
      reference::LayerNorm(ToDoubles(params[0].value), ones, zeros, kRows, kCols, kTinyEps);
  for (Index i = 0; i < kRows; ++i) {
    const Real* dx = params[0].grad.row(i);
    double sum = 0, along = 0;
    for (Index j = 0; j < kCols; ++j) {
      sum += dx[j];
      along += dx[j] * x_hat[i * kCols + j];
    }
    const double scale = Norm(dx, kCols) * std::sqrt(double{kCols});
    EXPECT_GT(scale, 0) << i;
    EXPECT_LE(std::abs(sum), kBound * scale) << i;
    EXPECT_LE(std::abs(along), kBound * scale) << i;
  }
}

void CheckRmsNorm(Index rows, Index cols) {
  SCOPED_TRACE(Sizes({rows, cols}));
  const Real eps = EpsFor(cols);
  ExpectGradMatches(
      "rms_norm", [=](Tape&, const Vars& v) { return ops::RmsNorm(v[0], v[1], eps); },
      [=](const ComplexInputs& v) { return reference::RmsNorm(v[0], v[1], rows, cols, eps); },
      {{"x", Normal({rows, cols}, 0, 2)}, {"gain", Normal({cols}, 1)}}, kSeed);
}

TEST(RmsNorm, GradMatchesComplexStep) {
  for (const Index rows : {1, 3, 5}) {
    for (const Index cols : {1, 3, 8, 17, 33}) CheckRmsNorm(rows, cols);
  }
}

TEST(RmsNorm, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({2, 3}));
  ExpectRejects("rms_norm", [&] { ops::RmsNorm(x, tape.Constant(Tensor({4})), Real(1e-5)); });
  ExpectRejects("rms_norm", [&] { ops::RmsNorm(x, tape.Constant(Tensor({2})), Real(1e-5)); });
}

TEST(RmsNorm, InputGradientIsOrthogonalToX) {
  constexpr Index kRows = 5, kCols = 33;
  auto params = Trainable({Normal({kRows, kCols}, 0, 2), Normal({kCols}, 1)});
  Backpropagate([](Tape&, const Vars& v) { return ops::RmsNorm(v[0], v[1], Real(1e-12)); }, params,
                Normal({kRows, kCols}, 2));
  for (Index i = 0; i < kRows; ++i) {
    const Real* dx = params[0].grad.row(i);
    const Real* x = params[0].value.row(i);
    const double scale = Norm(dx, kCols) * Norm(x, kCols);
    EXPECT_GT(scale, 0) << i;
    EXPECT_LE(std::abs(Dot(dx, x, kCols)), kBound * scale) << i;
  }
}

// ---- Rotary

/// 1, then falling by a constant factor, as in the models, down to 1/100.
Tensor InverseFrequencies(Index dim) {
  Tensor f({dim / 2});
  for (Index j = 0; j < f.size(); ++j) {
    f[j] = static_cast<Real>(std::pow(100.0, -2.0 * static_cast<double>(j) / static_cast<double>(dim)));
  }
  return f;
}

void CheckRotary(Index batch, Index length, Index heads, Index dim) {
  SCOPED_TRACE(Sizes({batch, length, heads, dim}));
  const Index rows = batch * length;
  const Tensor frequencies = InverseFrequencies(dim);
  ExpectGradMatches(
      "rotary", [&](Tape&, const Vars& v) { return ops::Rotary(v[0], length, frequencies); },
      [&](const ComplexInputs& x) { return reference::Rotary(x[0], ToDoubles(frequencies), rows, length, heads); },
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
}

TEST(Rotary, RejectsWrongShape) {
  Tape tape;
  const Var x = tape.Constant(Tensor({4, 6}));
  ExpectRejects("rotary", [&] { ops::Rotary(x, 4, InverseFrequencies(4)); });
  ExpectRejects("rotary", [&] { ops::Rotary(x, 4, InverseFrequencies(12)); });
  ExpectRejects("rotary", [&] { ops::Rotary(x, 0, InverseFrequencies(6)); });
}

// A rotation is orthogonal: dX is dY turned by the opposite angles, and turning dX again gives dY.
TEST(Rotary, BackwardIsTheInverseRotation) {
  constexpr Index kBatch = 2, kLength = 5, kHeads = 3, kDim = 10;
  const Shape shape{kBatch * kLength, kHeads * kDim};
  const Tensor frequencies = InverseFrequencies(kDim);
  const Tensor dY = Normal(shape, 1);
  auto params = Trainable({Normal(shape, 0)});
  Backpropagate([&](Tape&, const Vars& v) { return ops::Rotary(v[0], kLength, frequencies); }, params, dY);
  const Tensor& dx = params[0].grad;

  std::vector<double> opposite;
  for (const Real f : frequencies) opposite.push_back(-f);
  const auto expected = reference::Rotary(ToDoubles(dY), opposite, kBatch * kLength, kLength, kHeads);
  EXPECT_TRUE(Compare(dx, expected).Passed());

  Tape tape;
  const Tensor back = ops::Rotary(tape.Constant(dx), kLength, frequencies).value;
  EXPECT_TRUE(Compare(back, ToDoubles(dY)).Passed());
}

// ---- CausalAttention

void CheckAttention(Index batch, Index length, Index heads, Index kv_heads, Index dim) {
  SCOPED_TRACE(Sizes({batch, length, heads, kv_heads, dim}));
  const Index rows = batch * length;
  ExpectGradMatches(
      "causal_attention",
      [=](Tape&, const Vars& v) { return ops::CausalAttention(v[0], v[1], v[2], length, heads, kv_heads); },
      [=](const ComplexInputs& x) {
        return reference::CausalAttention(x[0], x[1], x[2], rows, length, heads, kv_heads, dim);
      },
      {{"q", Normal({rows, heads * dim}, 0)},
       {"k", Normal({rows, kv_heads * dim}, 1)},
       {"v", Normal({rows, kv_heads * dim}, 2)}},
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
}

TEST(CausalAttention, RejectsWrongShape) {
  Tape tape;
  auto zeros = [&](Index rows, Index cols) { return tape.Constant(Tensor({rows, cols})); };
  const Var q = zeros(6, 8), kv = zeros(6, 4);
  auto rejects = [](const Var& q, const Var& k, const Var& v, Index length, Index heads, Index kv_heads) {
    ExpectRejects("causal_attention", [&] { ops::CausalAttention(q, k, v, length, heads, kv_heads); });
  };
  EXPECT_NO_THROW(ops::CausalAttention(q, kv, kv, 3, 4, 2));
  rejects(q, kv, kv, 4, 4, 2);           // six rows are no whole number of sequences of four
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
}

// Exactly: neither large numbers behind the mask nor another sequence show in what a row computes
// or receives. (NaN behind the mask is not promised to stay there.)
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

  for (Index t = 0; t < kRows; ++t) {  // what row t can see of its sequence: first..t
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

// ---- CrossEntropy

void CheckCrossEntropy(Index vocab, const std::vector<int>& targets) {
  const Index rows = static_cast<Index>(targets.size());
  SCOPED_TRACE(Sizes({rows, vocab}));
  ExpectGradMatches(
      "cross_entropy", [&](Tape&, const Vars& v) { return ops::CrossEntropy(v[0], targets); },
      [&](const ComplexInputs& x) { return reference::CrossEntropy(x[0], targets, rows, vocab); },
      {{"logits", Normal({rows, vocab}, 0)}}, kSeed);
}

TEST(CrossEntropy, GradMatchesComplexStep) {
  CheckCrossEntropy(1, {0});
  for (const Index vocab : {2, 3, 17, 33}) {
    const int last = static_cast<int>(vocab) - 1;
    CheckCrossEntropy(vocab, {0});
    CheckCrossEntropy(vocab, {last});
    CheckCrossEntropy(vocab, {1, last, 0, 1, 1});
    CheckCrossEntropy(vocab, {ops::kIgnored, 1, ops::kIgnored, last, 0, ops::kIgnored});
    CheckCrossEntropy(vocab, {ops::kIgnored, ops::kIgnored, 1});
  }
}

TEST(CrossEntropy, RejectsWrongShape) {
  Tape tape;
  const Var logits = tape.Constant(Tensor({2, 3}));
  ExpectRejects("cross_entropy", [&] { ops::CrossEntropy(logits, {0}); });
  ExpectRejects("cross_entropy", [&] { ops::CrossEntropy(logits, {0, 1, 2}); });
  ExpectRejects("cross_entropy", [&] { ops::CrossEntropy(logits, {}); });
}

TEST(CrossEntropy, RejectsTargetsOutsideTheVocabulary) {
  Tape tape;
  const Var logits = tape.Constant(Tensor({2, 3}));
  for (const int target : {3, -1, -99, -101, std::numeric_limits<int>::max()}) {
    ExpectRejects("cross_entropy", [&] { ops::CrossEntropy(logits, {0, target}); });
  }
}

TEST(CrossEntropy, RejectsAllIgnored) {
  Tape tape;
  const Var logits = tape.Constant(Tensor({2, 3}));
  try {
    ops::CrossEntropy(logits, {ops::kIgnored, ops::kIgnored});
    ADD_FAILURE() << "a mean over nothing was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).rfind("[cross_entropy]", 0), 0u) << error.what();
    EXPECT_NE(std::string(error.what()).find("no target"), std::string::npos) << error.what();
  }
}

TEST(CrossEntropy, HandlesLargeLogits) {
  for (const Index vocab : {3, 19, 33}) {
    for (const Real level : {Real(1e4), Real(-1e4), Real(0)}) {
      Tensor equal({2, vocab});
      equal.Fill(level);
      auto params = Trainable({equal});
      Tape tape;
      const Var loss = ops::CrossEntropy(tape.Leaf(params[0]), {0, static_cast<int>(vocab) - 1});
      tape.Backward(loss);
      const double expected = std::log(static_cast<double>(vocab));
      EXPECT_NEAR(loss.value[0], expected, 4 * kEpsilon * expected) << vocab << " at " << level;
      for (const Real g : params[0].grad) EXPECT_TRUE(std::isfinite(g));
    }
    // One logit towers over the rest: the loss is 0 if it is the target, their difference if it is
    // not.
    Tensor spread({2, vocab});
    spread.Fill(-1e4);
    spread.row(0)[1] = 1e4;
    spread.row(1)[1] = 1e4;
    auto params = Trainable({spread});
    Tape tape;
    const Var loss = ops::CrossEntropy(tape.Leaf(params[0]), {1, 0});
    tape.Backward(loss);
    EXPECT_EQ(loss.value[0], Real(1e4));  // the mean of 0 and 20000
    for (Index v = 0; v < vocab; ++v) {
      EXPECT_EQ(params[0].grad.row(0)[v], 0) << v;
      EXPECT_EQ(params[0].grad.row(1)[v], v == 1 ? Real(0.5) : v == 0 ? Real(-0.5) : Real(0)) << v;
    }
  }
}

TEST(CrossEntropy, PropagatesNaN) {
  constexpr Index kVocab = 19;
  for (Index v = 0; v < kVocab; ++v) {
    Tensor logits = Normal({2, kVocab}, 0);
    logits.row(1)[v] = kNaN;
    auto params = Trainable({logits});
    Tape tape;
    const Var loss = ops::CrossEntropy(tape.Leaf(params[0]), {4, 5});
    EXPECT_TRUE(std::isnan(loss.value[0])) << v;
    tape.Backward(loss);
    for (Index j = 0; j < kVocab; ++j) {
      EXPECT_TRUE(std::isfinite(params[0].grad.row(0)[j])) << v << ", " << j;
      EXPECT_TRUE(std::isnan(params[0].grad.row(1)[j])) << v << ", " << j;
    }
  }
}

// Σ_v softmax_v - 1 = 0 for a row that counts; exactly 0 for one that does not, whatever it holds.
TEST(CrossEntropy, GradientRowsSumToZero) {
  constexpr Index kRows = 5, kVocab = 33;
  Tensor logits = Normal({kRows, kVocab}, 0, 3);
  logits.row(2)[7] = kNaN;
  auto params = Trainable({logits});
  Tape tape;
  const Var loss = ops::CrossEntropy(tape.Leaf(params[0]), {4, 0, ops::kIgnored, 32, 4});
  EXPECT_TRUE(std::isfinite(loss.value[0]));
  tape.Backward(loss);
  for (Index i = 0; i < kRows; ++i) {
    double sum = 0;
    for (Index v = 0; v < kVocab; ++v) {
      sum += params[0].grad.row(i)[v];
      if (i == 2) {
        EXPECT_EQ(params[0].grad.row(i)[v], 0) << v;
      }
    }
    EXPECT_NEAR(sum, 0, kBound * 0.25) << i;  // the entries are a softmax over four counted rows
  }
}

}  // namespace
}  // namespace ampgrad
