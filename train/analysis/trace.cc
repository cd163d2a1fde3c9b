#include "train/analysis/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "nn/forms/dora.h"
#include "tensor/kernels/kernels.h"
#include "train/adamw.h"
#include "train/data/batch_loss.h"
#include "train/report/columns.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

// How many characters must be added, taken away or replaced to make `b` of `a`.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// The matrix that is traced, by the model's own name or by that in a checkpoint; the message of a wrong name has the
// nearest right one.
nn::Matrix& FindMatrix(models::LanguageModel& model, const std::string& weight) {
  constexpr size_t kLongest = 200;  // characters of a name that are compared
  const std::string prefix = model.CheckpointPrefix();
  const std::string own = weight.starts_with(prefix) ? weight.substr(prefix.size()) : weight;
  std::string nearest;
  size_t least = std::numeric_limits<size_t>::max(), count = 0;
  for (nn::Matrix* matrix : model.Parts().matrices) {
    const std::vector<nn::FormPart> parts = matrix->form->Parts();
    if (std::ranges::none_of(parts, [](const nn::FormPart& part) { return part.param->trainable; })) continue;
    if (matrix->name == own) return *matrix;
    const size_t distance = EditDistance(own.substr(0, kLongest), matrix->name);
    if (distance < least) nearest = matrix->name;
    least = std::min(least, distance);
    ++count;
  }
  if (count == 0) throw std::runtime_error("expected a method that trains matrices, found none that trains");
  throw std::runtime_error("expected the name of one of " + std::to_string(count) + " matrices that train, found " +
                           weight + "; the nearest is " + nearest);
}

// The parameter that `role` names, or the first that trains.
nn::FormPart FindPart(nn::Matrix& matrix, const std::string& role) {
  std::string known;
  for (const nn::FormPart& part : matrix.form->Parts()) {
    if (!part.param->trainable) continue;
    if (role.empty() || role == part.role) return part;
    known += (known.empty() ? "" : ", ") + std::string(part.role);
  }
  throw std::runtime_error("expected a part of " + matrix.name + " that trains, of " + known + ", found " + role);
}

void CheckRange(const char* what, Index value, Index count) {
  if (value >= 0 && value < count) return;
  throw std::runtime_error(std::string("expected the ") + what + " in 0.." + std::to_string(count - 1) + ", found " +
                           std::to_string(value));
}

// The nodes from `loss` to the leaf of `param`, both included, along the fewest edges. So the path takes residual
// connections, not the blocks that they skip.
std::vector<int> ShortestPath(const Tape& tape, int loss, const Param* param) {
  std::vector<int> next_to_loss(tape.size(), -1), queue = {loss};
  for (size_t i = 0; i < queue.size(); ++i) {
    const int node = queue[i];
    if (tape.param(node) == param) {
      std::vector<int> path = {node};
      while (path.back() != loss) path.push_back(next_to_loss[path.back()]);
      std::reverse(path.begin(), path.end());
      return path;
    }
    for (const int input : tape.inputs(node)) {
      if (input < 0 || input == loss || next_to_loss[input] >= 0) continue;
      next_to_loss[input] = node;
      queue.push_back(input);
    }
  }
  throw std::logic_error("[trace] the loss does not depend on " + param->name);
}

// "autograd/ops_loss.cc:55"
std::string Source(const Tape& tape, int node) {
  return tape.source(node).file_name() + (":" + std::to_string(tape.source(node).line()));
}

TraceStep StepAt(const Tape& tape, int node, double norm) {
  return {tape.op(node), Source(tape, node), tape.shape(node).ToString(), norm};
}

double NormOf(const Tensor& x) { return std::sqrt(kernels::SumSquares(x.data(), x.size())); }

// The nodes that the gradient reached, by the norms that were seen at ops.
std::vector<TraceNode> GraphOf(const Tape& tape, int loss, const std::map<int, double>& norms,
                               const std::vector<int>& path) {
  std::vector<TraceNode> graph;
  std::map<int, size_t> place;
  for (int node = loss; node >= 0; --node) {
    const Param* param = tape.param(node);
    const auto norm = norms.find(node);
    if (param ? param->grad.empty() : norm == norms.end()) continue;
    place[node] = graph.size();
    graph.push_back({StepAt(tape, node, param ? NormOf(param->grad) : norm->second),
                     param ? param->name : "",
                     {},
                     std::ranges::find(path, node) != path.end()});
  }
  for (const auto& [node, at] : place) {
    for (const int input : tape.inputs(node)) {
      if (place.contains(input)) graph[at].inputs.push_back(place.at(input));
    }
  }
  return graph;
}

// (8(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h, whose error falls as h⁴.
void TakeDifference(models::LanguageModel& model, const Batch& batch, Real& number, Trace& trace) {
  const Real before = number;
  const double h = trace.shift = 1e-3, shifts[] = {-2 * h, -h, h, 2 * h};
  for (size_t i = 0; i < trace.shifted.size(); ++i) {
    number = static_cast<Real>(before + shifts[i]);
    Tape tape(Tape::Mode::kInference);
    trace.shifted[i] = BatchLoss(model, tape, batch).value[0];
  }
  number = before;
  const auto& f = trace.shifted;
  trace.difference = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h);
}

// W as the form makes it.
Tensor MadeWeight(nn::MadeForm& form) {
  Tape tape(Tape::Mode::kInference);
  return form.Make(tape).value;
}

// How many nodes lie from W to the leaf of `param`, both included.
size_t NodesOfForm(nn::MadeForm& form, const Param* param) {
  Tape tape;
  return ShortestPath(tape, form.Make(tape).node, param).size();
}

// ∂W/∂θ. W is affine in θ, so a step of 1 is exact but for rounding.
Tensor ChangeOfWeight(nn::MadeForm& form, Real& number) {
  const Tensor before = MadeWeight(form).Clone();
  const Real value = std::exchange(number, number + 1);
  Tensor change = MadeWeight(form).Clone();
  number = value;
  for (Index i = 0; i < change.size(); ++i) change[i] -= before[i];
  return change;
}

std::vector<double> RowOf(const Tensor& matrix, Index row) {
  return {matrix.row(row), matrix.row(row) + matrix.cols()};
}

// Sets what relates dW to ∂W/∂θ.
void CompareWithWeight(const Tensor& dw, const Tensor& change, Trace& trace) {
  double most = -1;
  for (Index r = 0; r < dw.rows(); ++r) {
    for (Index j = 0; j < dw.cols(); ++j) trace.dot += static_cast<double>(dw.row(r)[j]) * change.row(r)[j];
    const double moved = kernels::SumSquares(change.row(r), change.cols());
    if (moved > most) trace.row = r;
    most = std::max(most, moved);
  }
  trace.dw_row = RowOf(dw, trace.row);
  trace.change_row = RowOf(change, trace.row);
}

void TakeStep(Param& param, Real& number, double lr, Trace& trace) {
  const AdamWOptions adamw{.weight_decay = 0};
  trace.value = number;
  trace.moment1 = (1 - adamw.beta1) * trace.gradient;
  trace.moment2 = (1 - adamw.beta2) * trace.gradient * trace.gradient;
  AdamW({&param}, adamw).Step(lr);
  trace.next_value = number;
}

}  // namespace

Trace FollowNumber(models::LanguageModel& model, const Batch& batch, const TraceOptions& options) {
  nn::Matrix& matrix = FindMatrix(model, options.weight);
  const nn::FormPart part = FindPart(matrix, options.part);
  Param& param = *part.param;
  const Index columns = param.value.shape().rank() == 1 ? 1 : param.value.cols();
  CheckRange("row", options.row, param.value.size() / columns);
  CheckRange("column", options.column, columns);
  auto& form = dynamic_cast<nn::MadeForm&>(*matrix.form);
  if (auto* dora = dynamic_cast<nn::Dora*>(&form)) dora->HoldNorms();
  Real& number = param.value[options.row * columns + options.column];

  Trace trace{};
  trace.part = part.role;
  Tape tape;
  const Var loss = BatchLoss(model, tape, batch);
  trace.loss = loss.value[0];
  const std::vector<int> path = ShortestPath(tape, loss.node, &param);
  const size_t w = path.size() - NodesOfForm(form, &param);  // where W stands in the path
  std::map<int, double> norms;
  Tensor dw;
  tape.Backward(loss, [&](int node, const Tensor& dy) {
    norms[node] = NormOf(dy);
    if (node == path[w]) dw = dy.Clone();
  });
  for (const int node : path) {
    if (!tape.param(node)) trace.path.push_back(StepAt(tape, node, norms.at(node)));
  }
  trace.graph = GraphOf(tape, loss.node, norms, path);
  trace.to_w = w + 1 < path.size() ? w + 1 : 0;
  CompareWithWeight(w + 1 == path.size() ? param.grad : dw, ChangeOfWeight(form, number), trace);
  trace.gradient = param.grad[options.row * columns + options.column];
  TakeDifference(model, batch, number, trace);
  TakeStep(param, number, options.lr, trace);
  return trace;
}

std::string FormatTrace(const Trace& trace, const TraceOptions& options, const std::string& label) {
  const std::string place =
      report::Format("[%lld, %lld]", static_cast<long long>(options.row), static_cast<long long>(options.column));
  std::string text = trace.part + place + " of " + options.weight + ", " + label + "\n\n";
  text += report::Format("loss %.12g\n\n%-18s %-14s %-12s %s\n", trace.loss, "op", "output Y", "norm of dY", "source");
  for (size_t i = 0; i < trace.path.size(); ++i) {
    const TraceStep& step = trace.path[i];
    text += report::Format("%-18s %-14s %-12.4e %s%s\n", step.op.c_str(), step.shape.c_str(), step.gradient_norm,
                           step.source.c_str(), i + 1 == trace.to_w ? "   W" : "");
  }
  const auto row = [&](const char* name, const std::vector<double>& values) {
    std::string line = report::Left(report::Format(name, static_cast<long long>(trace.row)), 14);
    for (size_t j = 0; j < std::min<size_t>(values.size(), 5); ++j) line += report::Format(" %11.4e", values[j]);
    return line + report::Format("  … %zu numbers\n", values.size());
  };
  text += "\nθ = " + trace.part + place + "\n";
  text += row("dW[%lld, :]", trace.dw_row) + row("∂W/∂θ[%lld, :]", trace.change_row);
  text += "\n" + report::Left("Σ dW ∘ ∂W/∂θ over all of W", 34) + report::Format(" %21.14e\n", trace.dot);
  text += report::Left("dθ of the backward pass", 34) +
          report::Format(" %21.14e   autograd/tape.cc Backward\n", trace.gradient);
  text += report::Format("%-34s %21.14e   (%.1e off)\n", "central difference of the loss", trace.difference,
                         std::abs(trace.difference - trace.gradient) / std::max(std::abs(trace.gradient), 1e-300));
  text += report::Format(
      "\nAdamW, step 1, lr %g                   train/adamw.cc Step, tensor/kernels/adamw.cc AdamW\n", options.lr);
  text += report::Format("  m = (1 − β₁)·dθ   %12.4e\n  v = (1 − β₂)·dθ²  %12.4e\n", trace.moment1, trace.moment2);
  text += report::Format("  θ ← θ − lr·m̂/(√v̂ + ε)  %.10g → %.10g\n", trace.value, trace.next_value);
  return text;
}

}  // namespace ampgrad::train
