#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/reference/ops.h"
#include "tests/support/grad_check.h"
#include "tests/support/mean_loss.h"

/// What the tests of the ops share. Every op is held against its scalar reference, forward and gradient, at sizes that leave
/// every kind of vector tail; then what it must refuse, and the identities its gradient must obey.
namespace ampgrad {

using Vars = std::vector<Var>;
using ComplexInputs = std::vector<std::vector<Complex>>;
using ops::Layout;

inline constexpr uint64_t kSeed = 7;
inline constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();
inline constexpr double kEpsilon = std::numeric_limits<Real>::epsilon();

/// Normal numbers; another `stream` for every tensor of a test.
inline Tensor Normal(Shape shape, uint64_t stream, double stddev = 1) {
  return Random(kSeed, stream).NormalTensor(shape, stddev);
}

/// The sizes of a case, for the trace of a failure.
inline std::string Sizes(const std::vector<Index>& sizes) {
  std::string text = "sizes";
  for (const Index size : sizes) text += " " + std::to_string(size);
  return text;
}

/// Expects std::invalid_argument with a message that starts with "[op]".
inline void ExpectRejects(const std::string& op, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "[" << op << "] accepted what it must reject";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).rfind("[" + op + "]", 0), 0u) << error.what();
  }
}

/// The gradients of `params` for the incoming gradient dY.
inline void Backpropagate(const OpFn& op, std::vector<Param>& params, const Tensor& dY) {
  Tape tape;
  Vars vars;
  for (Param& param : params) vars.push_back(tape.Leaf(param));
  tape.Backward(Probe(op(tape, vars), dY));
}

inline std::vector<Param> Trainable(const std::vector<Tensor>& values) {
  std::vector<Param> params;
  for (const Tensor& value : values) params.push_back({"", value, {}, true});
  return params;
}

inline double Norm(const Real* a, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * a[i];
  return std::sqrt(sum);
}

inline double Dot(const Real* a, const Real* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace ampgrad
