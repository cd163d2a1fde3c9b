#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/op_testing.h"

namespace ampgrad {
namespace {

// ---- LayerNorm and RmsNorm

/// With a single column the normalised x is 0 (LayerNorm) or nearly ±1 (RmsNorm), and the gradient
/// of x comes from eps alone; a small eps would leave only rounding.
Real EpsFor(Index cols) { return cols == 1 ? Real(0.5) : Real(1e-5); }

void CheckLayerNorm(Index rows, Index cols) {
  SCOPED_TRACE(Sizes({rows, cols}));
  const Real eps = EpsFor(cols);
  Tensor x = Normal({rows, cols}, 0, 2);
  for (Real& element : x) element += 1;  // a mean that must be subtracted
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

}  // namespace
}  // namespace ampgrad
