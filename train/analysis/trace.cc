#include "train/analysis/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "tensor/kernels/kernels.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"
#include "train/methods/method.h"
#include "train/report/format.h"
#include "train/trainer.h"

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
ct::RowSource FindSource(const std::vector<ct::RowSource>& sources, const std::string& weight,
                         const std::string& prefix) {
  constexpr size_t kLongest = 200;  // characters of a name that are compared
  const std::string own = weight.starts_with(prefix) ? weight.substr(prefix.size()) : weight;
  std::string nearest;
  size_t least = std::numeric_limits<size_t>::max();
  for (const ct::RowSource& source : sources) {
    const std::string& name = source.matrix->name;
    if (name == own) return source;
    const size_t distance = EditDistance(own.substr(0, kLongest), name);
    if (distance < least) nearest = name;
    least = std::min(least, distance);
  }
  throw std::runtime_error("expected the name of one of " + std::to_string(sources.size()) +
                           " decomposed matrices, found " + weight + "; the nearest is " + nearest);
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

// (8(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h, whose error falls as h⁴.
double CentralDifference(models::LanguageModel& model, const Batch& batch, Real& score) {
  const double h = 1e-3;
  const Real before = score;
  const auto loss_at = [&](double shift) {
    score = static_cast<Real>(before + shift);
    Tape tape(Tape::Mode::kInference);
    return static_cast<double>(BatchLoss(model, tape, batch).value[0]);
  };
  const double near = loss_at(h) - loss_at(-h), far = loss_at(2 * h) - loss_at(-2 * h);
  score = before;
  return (8 * near - far) / (12 * h);
}

}  // namespace

ScoreTrace TraceScore(models::LanguageModel& model, const Batch& batch, const TraceOptions& options) {
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  const ct::RowSource source = FindSource(sources, options.weight, model.CheckpointPrefix());
  CheckRange("row", options.row, source.rows);
  CheckRange("component", options.component, options.k);
  const auto basis = std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, options.k));
  Prepare(model, {.method = "amplitude", .k = options.k, .start = options.start}, basis);
  RequireMemory(PlanMemory(model, basis.get()), batch.tokens() / batch.length, batch.length, AvailableMemory());
  Param& scores = source.matrix->form->Part("scores");
  Real& score = scores.value.row(options.row)[options.component];

  ScoreTrace trace{};
  Tape tape;
  const Var loss = BatchLoss(model, tape, batch);
  trace.loss = loss.value[0];
  const std::vector<int> path = ShortestPath(tape, loss.node, &scores);
  std::map<int, double> norms;
  tape.Backward(loss, [&](int node, const Tensor& dy) {
    if (std::find(path.begin(), path.end(), node) == path.end()) return;
    norms[node] = std::sqrt(kernels::SumSquares(dy.data(), dy.size()));
    if (node != path[path.size() - 2]) return;  // the reconstruction itself: its dY is dW
    trace.dw_row = {dy.row(options.row), dy.row(options.row) + dy.cols()};
  });
  for (const int node : path) {
    if (tape.param(node)) continue;
    trace.path.push_back({tape.op(node), Source(tape, node), tape.shape(node).ToString(), norms.at(node)});
  }
  trace.basis_row = {basis->vectors.row(options.component), basis->vectors.row(options.component) + basis->width()};
  for (size_t j = 0; j < trace.dw_row.size(); ++j) trace.dot += trace.dw_row[j] * trace.basis_row[j];
  trace.gradient = scores.grad.row(options.row)[options.component];
  trace.difference = CentralDifference(model, batch, score);

  const AdamWOptions adamw{.weight_decay = 0};
  trace.score = score;
  trace.moment1 = (1 - adamw.beta1) * trace.gradient;
  trace.moment2 = (1 - adamw.beta2) * trace.gradient * trace.gradient;
  AdamW({&scores}, adamw).Step(options.lr);
  trace.next_score = score;
  return trace;
}

std::string FormatTrace(const ScoreTrace& trace, const TraceOptions& options) {
  std::string text =
      report::Format("score S[%lld, %lld] of %s, start %s, K = %lld\n\n", static_cast<long long>(options.row),
                     static_cast<long long>(options.component), options.weight.c_str(), ct::ToString(options.start),
                     static_cast<long long>(options.k));
  text += report::Format("loss %.12g\n\n%-18s %-14s %-12s %s\n", trace.loss, "op", "output Y", "norm of dY", "source");
  for (const TraceStep& step : trace.path) {
    text += report::Format("%-18s %-14s %-12.4e %s\n", step.op.c_str(), step.shape.c_str(), step.gradient_norm,
                           step.source.c_str());
  }
  const auto row = [](const char* name, const std::vector<double>& values) {
    std::string line = report::Format("%-14s", name);
    for (size_t j = 0; j < std::min<size_t>(values.size(), 5); ++j) line += report::Format(" %11.4e", values[j]);
    return line + report::Format("  … %zu numbers\n", values.size());
  };
  text += "\n" + row(report::Format("dW[%lld, :]", static_cast<long long>(options.row)).c_str(), trace.dw_row);
  text += row(report::Format("B[%lld, :]", static_cast<long long>(options.component)).c_str(), trace.basis_row);
  text +=
      report::Format("\n%-34s %21.14e   ct/reconstruct.cc Reconstruct, dS += dW·Bᵀ\n", "their dot product", trace.dot);
  text += report::Format("%-34s %21.14e   autograd/tape.cc Backward\n", "dS of the backward pass", trace.gradient);
  text += report::Format("%-34s %21.14e   (%.1e off)\n", "central difference of the loss", trace.difference,
                         std::abs(trace.difference - trace.gradient) / std::abs(trace.gradient));
  text += report::Format(
      "\nAdamW, step 1, lr %g                   train/adamw.cc Step, tensor/kernels/adamw.cc AdamW\n", options.lr);
  text += report::Format("  m = (1 − β₁)·dS   %12.4e\n  v = (1 − β₂)·dS²  %12.4e\n", trace.moment1, trace.moment2);
  text += report::Format("  S ← S − lr·m̂/(√v̂ + ε)  %.10g → %.10g\n", trace.score, trace.next_score);
  return text;
}

}  // namespace ampgrad::train
