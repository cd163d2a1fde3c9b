#include "tests/audit/op_audit.h"

#include <cmath>
#include <limits>

#include "tests/audit/buffer_audit.h"

namespace ampgrad::audit {
namespace {

constexpr double kOpBound = 1e-12;
// CheckGrad's floor at this bound: eight roundings pass where a gradient is analytically zero, or nearly so.
constexpr double kOpFloor = 8 * kEpsilon / kOpBound;
constexpr double kCommonTolerance = 2e-2;
constexpr double kBatchTokens = 256;  // of a batch: 4 sequences of 64
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint64_t kDirectionStream = 0x646972, kOtherStream = 0x6f7468;
constexpr Index kDirections = 8;

// Jᵀ·v by the op's backward. The op is used once more, on other numbers, before its backward runs, as in a model of two
// layers: what calls wrongly share, shows.
std::vector<Tensor> Gradients(const OpCase& op_case, const Tensor& v, uint64_t seed) {
  std::vector<Param> params = Trainable(Values(op_case));
  Tape tape;
  Vars vars, others;
  for (Param& param : params) {
    vars.push_back(tape.Leaf(param));
    others.push_back(tape.Constant(Random(seed, kOtherStream + vars.size()).NormalTensor(param.value.shape(), 1)));
  }
  const Var y = op_case.run(tape, vars);
  op_case.run(tape, others);
  if (y.needs_grad()) tape.Backward(Probe(y, v));
  std::vector<Tensor> gradients;
  for (const Param& param : params) gradients.push_back(param.grad.empty() ? Tensor(param.value.shape()) : param.grad);
  return gradients;
}

// The worst of what CheckGrad finds, for each input: a forward that is not the reference's, a gradient that is not its
// complex step, or is not added.
std::vector<double> ComplexStepErrors(const OpCase& op_case, uint64_t seed) {
  const GradReport report = CheckGrad(op_case.op, op_case.run, op_case.reference, op_case.inputs, seed);
  if (report.inputs.size() != op_case.inputs.size()) return std::vector<double>(op_case.inputs.size(), kInfinity);
  std::vector<Param> params = Trainable(Values(op_case));
  const Tensor y = ForwardBackward(op_case.run, params, seed);
  const double dy_norm = Norm(IncomingGradient(y.shape(), seed));
  std::vector<double> errors;
  for (size_t p = 0; p < params.size(); ++p) {
    const InputReport& input = report.inputs[p];
    // From CheckGrad's floor to the one of this bound.
    const double norm = params[p].grad.empty() ? 0 : Norm(params[p].grad);
    const double factor = std::max(norm, kGradientFloor * dy_norm) / std::max(norm, kOpFloor * dy_norm);
    errors.push_back(
        Worst(report.forward.relative_error, factor * Worst(input.gradient.relative_error, input.doubling_error)));
  }
  return errors;
}

// One input of a case, and all that is asked of its gradient for the incoming gradient v.
struct Line {
  const OpCase& op_case;
  size_t input;
  const Tensor& v;
  const Tensor& gradient;

  // f(x + h·u) = ⟨v, op(x + h·u)⟩, by the op itself.
  double F(double h, const Tensor& u) const {
    std::vector<Tensor> x = Values(op_case);
    x[input] = x[input].Clone();
    for (Index i = 0; i < u.size(); ++i) x[input][i] += static_cast<Real>(h) * u[i];
    const Tensor y = Evaluate(op_case.run, x);
    return Dot(v.data(), y.data(), y.size());
  }
};

// A random direction with entries of size 1: of eight, the one along which f bends the most, so that the remainder is
// not small by accident. The gradient has no say in it.
Tensor Direction(const Line& line, uint64_t seed) {
  constexpr double kStepOfBend = 1.0 / 64;
  const Shape shape = line.op_case.inputs[line.input].value.shape();
  Tensor best;
  double best_bend = -1;
  for (Index n = 0; n < kDirections; ++n) {
    Tensor u = Random(seed, kDirectionStream + 16 * line.input + n).NormalTensor(shape, 1);
    const double scale = std::sqrt(static_cast<double>(u.size())) / Norm(u);
    for (Real& element : u) element *= static_cast<Real>(scale);
    const double bend = std::abs(line.F(kStepOfBend, u) - 2 * line.F(0, u) + line.F(-kStepOfBend, u));
    if (bend <= best_bend) continue;
    best_bend = bend;
    best = u;
  }
  return best;
}

// |⟨J·u, v⟩ − ⟨u, Jᵀ·v⟩| / (‖J·u‖·‖v‖), J·u by one complex step of the reference.
double AdjointError(const Line& line, const Tensor& u) {
  ComplexInputs x;
  for (const Tensor& value : Values(line.op_case)) x.emplace_back(value.begin(), value.end());
  for (Index i = 0; i < u.size(); ++i) x[line.input][i] += Complex(0, kStep * u[i]);
  double norm = 0, forward = 0;
  const std::vector<Complex> y = line.op_case.reference(x);
  if (static_cast<Index>(y.size()) != line.v.size()) return kInfinity;
  for (size_t i = 0; i < y.size(); ++i) {
    const double ju = y[i].imag() / kStep;
    norm += ju * ju;
    forward += ju * line.v[i];
  }
  const double backward = Dot(u.data(), line.gradient.data(), u.size());
  const double scale = std::max(std::sqrt(norm), kOpFloor * Norm(u));
  return std::abs(forward - backward) / (scale * Norm(line.v));
}

// The slope of the least-squares line through log remainder over log h; NaN for fewer than three points.
double Slope(const std::vector<TaylorPoint>& points) {
  if (points.size() < 3) return std::numeric_limits<double>::quiet_NaN();
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (const TaylorPoint& p : points) {
    mean_x += std::log(p.h) / static_cast<double>(points.size());
    mean_y += std::log(p.remainder) / static_cast<double>(points.size());
  }
  for (const TaylorPoint& p : points) {
    const double x = std::log(p.h) - mean_x;
    xx += x * x;
    xy += x * (std::log(p.remainder) - mean_y);
  }
  return xy / xx;
}

// |f(x + h·u) − f(x) − h·⟨g, u⟩| falls as h² when g is the gradient, as h when it is not. What is no larger than a
// thousand roundings of the numbers that f adds up is noise; when all is noise the op is linear here and the gradient
// right.
void FitTaylor(const Line& line, const Tensor& u, OpFinding& finding) {
  const Tensor y = Evaluate(line.op_case.run, Values(line.op_case));
  double scale = 0;
  for (Index i = 0; i < y.size(); ++i) scale += std::abs(static_cast<double>(line.v[i]) * y[i]);
  const double noise = 1e3 * kEpsilon * scale;
  const double along = Dot(line.gradient.data(), u.data(), u.size()), f = line.F(0, u);
  std::vector<TaylorPoint> clear;
  finding.straight = true;
  for (int exponent = 6; exponent <= 18; exponent += 2) {
    const double h = std::ldexp(1.0, -exponent);
    const double remainder = std::abs(line.F(h, u) - f - h * along);
    finding.taylor.push_back({h, remainder});
    if (remainder <= noise) continue;
    finding.straight = false;
    clear.push_back({h, remainder});
  }
  if (!finding.straight) finding.taylor_slope = Slope(clear);
}

// The case with its output times `factor`, and so its incoming gradient.
OpCase Scaled(const OpCase& op_case, double factor) {
  OpCase scaled = op_case;
  scaled.run = [=](Tape& tape, const Vars& x) {
    const Var y = op_case.run(tape, x);
    Tensor value = y.value.Clone();
    for (Real& element : value) element *= static_cast<Real>(factor);
    return tape.Record("scaled", value, {&y}, [factor](const Tensor& dY, InputGrads& d) {
      for (Index i = 0; i < dY.size(); ++i) (*d.AddWithin(0))[i] += static_cast<Real>(factor) * dY[i];
    });
  };
  scaled.reference = [=](const ComplexInputs& x) {
    std::vector<Complex> y = op_case.reference(x);
    for (Complex& element : y) element *= factor;
    return y;
  };
  return scaled;
}

}  // namespace

std::vector<OpFinding> AuditOp(const OpCase& op_case, uint64_t seed) {
  const std::vector<double> errors = ComplexStepErrors(op_case, seed);
  // Another incoming gradient than CheckGrad's, so that what is left of an earlier call shows.
  const Tensor v = IncomingGradient(Evaluate(op_case.run, Values(op_case)).shape(), seed + 1);
  const std::vector<Tensor> gradients = Gradients(op_case, v, seed);

  std::vector<OpFinding> findings;
  for (size_t p = 0; p < op_case.inputs.size(); ++p) {
    OpFinding finding;
    finding.op = op_case.op;
    finding.shape = op_case.shape;
    finding.input = op_case.inputs[p].name;
    finding.bound = kOpBound;
    finding.complex_step_error = errors[p];
    const Line line{op_case, p, v, gradients[p]};
    const Tensor u = Direction(line, seed);
    finding.adjoint_error = AdjointError(line, u);
    FitTaylor(line, u, finding);
    findings.push_back(std::move(finding));
  }
  return findings;
}

bool AuditRefuses(const OpCase& op_case, uint64_t seed) {
  for (const OpFinding& finding : AuditOp(op_case, seed)) {
    if (!finding.Passed()) return true;
  }
  return !AuditBuffers(op_case, seed).Passed();
}

bool CommonCheckRefuses(const OpCase& op_case, uint64_t seed) {
  // The loss is one number for all rows, which are part of a batch as well.
  const double rows = op_case.op == "cross_entropy" ? static_cast<double>(op_case.inputs[0].value.rows()) : 1;
  const OpCase scaled = Scaled(op_case, rows / kBatchTokens);
  for (const InputReport& input : CheckGrad(scaled.op, scaled.run, scaled.reference, scaled.inputs, seed).inputs) {
    if (!(input.gradient.max_abs_error <= kCommonTolerance)) return true;
  }
  return false;
}

}  // namespace ampgrad::audit
