#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "tensor/random.h"

/// The gradient checker: the backward of an op against the complex-step derivative of its scalar
/// reference.
///
/// With a random incoming gradient dY and L = Σ dY ⊙ Y, the derivative of L by element i of an
/// input is
///   dx_i = Im <dY, f(x + ih e_i)> / h,
/// taken for every element of every input. dY is always random: with ones, L = ΣY, and a softmax
/// backward that returns zeros would be right, since rows that sum to one do not change their sum.
namespace ampgrad {

using Complex = std::complex<double>;
using Vars = std::vector<Var>;
using ComplexInputs = std::vector<std::vector<Complex>>;
/// The op under test, from its differentiable inputs.
using OpFn = std::function<Var(Tape&, const Vars&)>;
/// Its reference, from the same inputs as flat row-major numbers.
using ReferenceFn = std::function<std::vector<Complex>(const ComplexInputs&)>;

/// The largest relative error that passes, forward and backward. An op rounds each number some
/// hundred times (the length of its sums), so the float build loses two digits or three of its
/// seven, the double build as many of its sixteen; a wrong term is off by 1e-3 or more.
inline constexpr double kBound = sizeof(Real) == sizeof(double) ? 1e-10 : 2e-5;

/// A gradient that is analytically zero has no relative error, only what cancels in it: a few
/// roundings of ‖dY‖. Errors are measured against kGradientFloor·‖dY‖ when the gradient is smaller
/// than that, which lets eight roundings pass.
inline constexpr double kGradientFloor = 8 * std::numeric_limits<Real>::epsilon() / kBound;

/// The complex step: so small that h² vanishes beside 1, far from underflow.
inline constexpr double kStep = 1e-30;

struct CheckInput {
  std::string name;
  Tensor value;
};

/// ‖a - reference‖ / max(‖reference‖, floor). 0 when both are all zeros, infinite when only the
/// denominator is zero or `a` has an infinity, NaN when anything is NaN: accept only if <= a bound.
inline double RelativeError(const Real* a, const double* reference, Index n, double floor = 0) {
  double difference = 0;
  double norm = 0;
  for (Index i = 0; i < n; ++i) {
    difference += (a[i] - reference[i]) * (a[i] - reference[i]);
    norm += reference[i] * reference[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference) / std::max(std::sqrt(norm), floor);
}

/// What a comparison found: the relative error of the whole, and the element that is off the most.
struct Comparison {
  double relative_error = std::numeric_limits<double>::infinity();
  double max_abs_error = 0;
  Index index = -1;
  double found = 0;
  double expected = 0;

  bool Passed() const { return relative_error <= kBound; }
};

inline Comparison Compare(const Tensor& found, const std::vector<double>& expected, double floor = 0) {
  Comparison c;
  if (found.empty() || found.size() != static_cast<Index>(expected.size())) return c;
  c.relative_error = RelativeError(found.data(), expected.data(), found.size(), floor);
  for (Index i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - expected[i]);
    if (c.index >= 0 && error <= c.max_abs_error) continue;  // a NaN is never <=, so it is kept
    c.max_abs_error = error;
    c.index = i;
    c.found = found[i];
    c.expected = expected[i];
    if (std::isnan(error)) break;
  }
  return c;
}

struct InputReport {
  std::string name;
  Comparison gradient;  // infinite error at index -1 when no gradient arrived
  double doubling_error = std::numeric_limits<double>::infinity();  // of a second backward against 2·gradient

  bool Passed() const { return gradient.Passed() && doubling_error <= kBound; }
};

struct GradReport {
  std::string op;
  uint64_t seed = 0;
  Comparison forward;
  std::vector<InputReport> inputs;

  bool Passed() const {
    bool passed = forward.Passed() && !inputs.empty();
    for (const InputReport& input : inputs) passed = passed && input.Passed();
    return passed;
  }

  /// One line for each comparison that failed.
  std::string ToString() const {
    std::ostringstream text;
    text.precision(17);
    auto line = [&](const std::string& what, const Comparison& c) {
      text << "[" << op << "] " << what << ": relative error " << c.relative_error << " (bound " << kBound << ")";
      if (c.index >= 0) {
        text << ", worst at index " << c.index << ": found " << c.found << ", expected " << c.expected
             << ", absolute error " << c.max_abs_error;
      } else {
        text << ", nothing there or another size";
      }
      text << ", seed " << seed << "\n";
    };
    if (!forward.Passed()) line("forward", forward);
    for (const InputReport& input : inputs) {
      if (!input.gradient.Passed()) line("gradient of " + input.name, input.gradient);
      if (!(input.doubling_error <= kBound)) {
        text << "[" << op << "] gradient of " << input.name
             << " is not added: after a second backward it is off twice itself by " << input.doubling_error
             << " (bound " << kBound << "), seed " << seed << "\n";
      }
    }
    return text.str();
  }
};

/// The scalar Σ dY ⊙ Y: Backward from it brings exactly dY to y.
inline Var Probe(const Var& y, const Tensor& dY) {
  double sum = 0;
  for (Index i = 0; i < y.value.size(); ++i) sum += static_cast<double>(dY[i]) * y.value[i];
  return y.tape->Record("probe", Tensor::Scalar(static_cast<Real>(sum)), {&y},
                        [dY](const Tensor& dLoss, InputGrads& d) {
                          Tensor* dy = d.AddWithin(0);
                          for (Index i = 0; dy && i < dY.size(); ++i) (*dy)[i] += dY[i] * dLoss[0];
                        });
}

/// The incoming gradient of a check: normal numbers, from a stream that no input is drawn from.
inline Tensor IncomingGradient(Shape shape, uint64_t seed) {
  constexpr uint64_t kStream = 0x6459;
  return Random(seed, kStream).NormalTensor(shape, 1);
}

inline std::vector<Param> Trainable(const std::vector<Tensor>& values) {
  std::vector<Param> params;
  for (const Tensor& value : values) params.push_back({"", value, {}, true});
  return params;
}

/// The gradients of `params` for the incoming gradient dY.
inline void Backpropagate(const OpFn& op, std::vector<Param>& params, const Tensor& dY) {
  Tape tape;
  Vars vars;
  for (Param& param : params) vars.push_back(tape.Leaf(param));
  tape.Backward(Probe(op(tape, vars), dY));
}

/// Forward and backward on a new tape, adding into the gradients of `params`. Returns the output.
inline Tensor ForwardBackward(const OpFn& op, std::vector<Param>& params, uint64_t seed) {
  Tape tape;
  Vars vars;
  for (Param& param : params) vars.push_back(tape.Leaf(param));
  const Var y = op(tape, vars);
  if (y.needs_grad()) tape.Backward(Probe(y, IncomingGradient(y.shape(), seed)));
  return y.value;
}

inline std::vector<double> ToDoubles(const Tensor& t) { return {t.begin(), t.end()}; }

/// Checks the forward and every gradient of an op. Asserts nothing, so that the checker itself can
/// be tested.
inline GradReport CheckGrad(const std::string& name, const OpFn& op, const ReferenceFn& reference,
                            const std::vector<CheckInput>& inputs, uint64_t seed) {
  GradReport report{name, seed, {}, {}};
  std::vector<Param> params;
  ComplexInputs x;
  for (const CheckInput& input : inputs) {
    params.push_back({input.name, input.value, {}, true});
    x.emplace_back(input.value.begin(), input.value.end());
  }

  std::vector<double> expected;
  for (const Complex& y : reference(x)) expected.push_back(y.real());
  const Tensor y = ForwardBackward(op, params, seed);
  report.forward = Compare(y, expected);
  if (y.size() != static_cast<Index>(expected.size())) return report;

  const Tensor dY = IncomingGradient(y.shape(), seed);
  double norm = 0;
  for (const Real g : dY) norm += static_cast<double>(g) * g;
  const double floor = kGradientFloor * std::sqrt(norm);

  std::vector<std::vector<double>> twice;
  for (size_t p = 0; p < params.size(); ++p) {
    std::vector<double> gradient;
    for (Complex& element : x[p]) {
      const Complex before = element;
      element += Complex(0, kStep);
      const std::vector<Complex> moved = reference(x);
      element = before;
      double sum = 0;
      for (Index i = 0; i < dY.size(); ++i) sum += dY[i] * moved[i].imag();
      gradient.push_back(sum / kStep);
    }
    report.inputs.push_back({inputs[p].name, Compare(params[p].grad, gradient, floor)});
    twice.emplace_back();
    if (params[p].grad.empty()) continue;
    for (const Real g : params[p].grad) twice[p].push_back(2.0 * g);
  }

  // Gradients are added, never assigned: a second pass into the same buffers must double them.
  ForwardBackward(op, params, seed);
  for (size_t p = 0; p < params.size(); ++p) {
    report.inputs[p].doubling_error = Compare(params[p].grad, twice[p], floor).relative_error;
  }
  return report;
}

}  // namespace ampgrad
