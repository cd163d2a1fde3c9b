#include "train/analysis/trace_page.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "train/adamw.h"
#include "train/analysis/op_formulas.h"
#include "train/report/chart.h"
#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/lanes.h"
#include "train/report/stepper.h"
#include "train/report/svg.h"

namespace ampgrad::train {
namespace {

using report::Escape;
using report::Format;
using report::Scientific;

std::string Place(const TraceOptions& options) {
  return Format("[%lld, %lld]", static_cast<long long>(options.row), static_cast<long long>(options.column));
}

std::string Paragraph(const std::string& html) { return "<p>" + html + "</p>\n"; }
std::string FormulaLine(const std::string& text) { return "<p class=\"formula\">" + Escape(text) + "</p>\n"; }

// How far the difference may be from the gradient: a hundred-thousandth, as `ampgrad audit --model` allows, and the
// rounding of four losses, each good to some hundred units, divided by h.
double Bound(const Trace& trace) {
  const double rounding = 256 * std::numeric_limits<Real>::epsilon() * std::abs(trace.loss) / trace.shift;
  return 1e-5 * std::abs(trace.gradient) + rounding;
}

bool Agrees(const Trace& trace) { return std::abs(trace.difference - trace.gradient) <= Bound(trace); }

// ---- The graph

// The step of the page that each op of the path has, the loss being the first.
std::vector<std::size_t> StepsOf(const Trace& trace) {
  std::vector<std::size_t> steps;
  std::size_t next = 1;
  for (const TraceNode& node : trace.graph) steps.push_back(node.on_path && node.param.empty() ? next++ : 0);
  return steps;
}

// Where a norm lies between the least and the greatest of all, on a log scale.
double Fraction(const Trace& trace, double norm) {
  double least = INFINITY, greatest = 0;
  for (const TraceNode& node : trace.graph) {
    if (!(node.step.gradient_norm > 0)) continue;
    least = std::min(least, node.step.gradient_norm);
    greatest = std::max(greatest, node.step.gradient_norm);
  }
  if (!(norm > 0)) return 0;
  return greatest > least ? 0.04 + 0.96 * std::log(norm / least) / std::log(greatest / least) : 1;
}

std::string GraphSection(const Trace& trace) {
  std::vector<report::LaneNode> nodes;
  for (const TraceNode& node : trace.graph) nodes.push_back({node.inputs, node.on_path});
  const std::vector<std::string> drawings = report::LaneDrawings(nodes);
  const std::vector<std::size_t> steps = StepsOf(trace);
  std::string rows;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const TraceNode& node = trace.graph[i];
    const std::string number = std::to_string(steps[i]);
    const std::string name = Escape(node.param.empty() ? node.step.op : node.param);
    rows += (steps[i] ? "<tr class=\"of-step\" data-step=\"" + number + "\">" : "<tr>") + "<td class=\"lane\">" +
            drawings[i] + "</td><th scope=\"row\">" +
            (steps[i] ? "<a href=\"#step-" + number + "\">" + name + "</a>"
                      : (node.param.empty() ? name : "<i>" + name + "</i>")) +
            "</th>" + report::BarCell(Scientific(node.step.gradient_norm), Fraction(trace, node.step.gradient_norm)) +
            report::Cell(node.step.shape) + "</tr>\n";
  }
  return report::Section(
      "The graph",
      "Every node that the gradient reached, in the order of the backward pass: the loss first, each op above what it "
      "read. The thick line is the shortest way from the loss to θ, whose ops are the first steps. ‖dY‖ is the norm of "
      "the gradient of an op's output, with a bar on a log scale; names in italics are parameters that train.",
      "<div class=\"graph tall\">\n" +
          report::Table(Format("%zu nodes", nodes.size()), {{""}, {"op"}, {"‖dY‖", true}, {"output Y"}}, rows) +
          "</div>\n");
}

// ---- The steps

// "add, linear": what the i-th op of the path reads that needs a gradient.
std::string Reads(const Trace& trace, std::size_t i) {
  const std::vector<std::size_t> steps = StepsOf(trace);
  const auto at = static_cast<std::size_t>(std::ranges::find(steps, i + 1) - steps.begin());
  std::string names;
  for (const std::size_t input : trace.graph[at].inputs) {
    const TraceNode& node = trace.graph[input];
    names += (names.empty() ? "" : ", ") + (node.param.empty() ? node.step.op : node.param);
  }
  return names;
}

report::Step OpStep(const Trace& trace, std::size_t i) {
  const TraceStep& step = trace.path[i];
  const OpFormula& formula = FormulaOf(step.op);
  std::string body = FormulaLine(formula.forward) + FormulaLine(formula.backward) + "<dl class=\"facts\">\n" +
                     report::Fact("output Y", step.shape == "[]" ? "a number" : step.shape, "") +
                     report::Fact("‖dY‖", Scientific(step.gradient_norm),
                                  i == 0 ? "the backward pass begins with dloss = 1" : "as its backward receives it") +
                     report::Fact("recorded by", "<code>" + Escape(step.source) + "</code>", "the op stands there") +
                     report::Fact("passes its gradient to", Escape(Reads(trace, i)), "") + "</dl>\n";
  if (i == 0) body = Paragraph(Format("The loss of the batch is <b>%.12g</b>.", trace.loss)) + body;
  if (i + 1 == trace.to_w) body += Paragraph("Its output is W, the matrix itself: here dY is dW.");
  return {step.op, body};
}

// The numbers of a row over their columns: a stem for each, or a line through them.
std::string RowChart(const std::string& name, const std::vector<double>& row, bool line = false) {
  report::Axis x("column", report::Axis::Scale::kWhole), y(name, report::Axis::Scale::kEven);
  for (std::size_t j = 0; j < row.size(); ++j) {
    x.Include(static_cast<double>(j));
    y.Include(row[j]);
  }
  y.Include(0);
  report::Chart chart(x, y, {.width = 480, .height = 190, .left = 74, .ticks = 4});
  report::Chart::Points points;
  for (std::size_t j = 0; j < row.size(); ++j) {
    const double at = static_cast<double>(j);
    if (!line) points.emplace_back(at, 0.0);
    points.emplace_back(at, row[j]);
    if (!line) points.emplace_back(at, 0.0);
  }
  chart.Level("grid zero", 0, "");
  chart.Line(line ? "curve other" : "stems", points, "");
  return chart.Svg(name + " over its columns");
}

std::string Captioned(const std::string& caption, const std::string& svg) {
  return "<figure><figcaption>" + Escape(caption) + "</figcaption>\n" + svg + "</figure>\n";
}

std::string RowName(const Trace& trace, const char* matrix) {
  return Format("%s[%lld, :]", matrix, static_cast<long long>(trace.row));
}

// "the row of B", where ∂W/∂θ is one.
std::string WhatChange(const Trace& trace, const TraceOptions& options) {
  const std::string row = RowName(trace, "∂W/∂θ");
  return trace.part == "scores" ? row + Format(" = B[%lld, :]", static_cast<long long>(options.column)) : row;
}

report::Step RowsStep(const Trace& trace, const TraceOptions& options) {
  const bool scores = trace.part == "scores";
  return {
      scores ? "The row of dW, and the row of B" : "The row of dW, and that of ∂W/∂θ",
      Paragraph(scores ? Format("W = S·B + C, so θ moves row %lld of W alone, by row %lld of B.",
                                static_cast<long long>(trace.row), static_cast<long long>(options.column))
                       : Format("θ moves W by ∂W/∂θ, and row %lld of W the most.", static_cast<long long>(trace.row))) +
          "<div class=\"charts\">\n" + Captioned(RowName(trace, "dW"), RowChart("dW", trace.dw_row)) +
          Captioned(WhatChange(trace, options), RowChart("∂W/∂θ", trace.change_row)) + "</div>\n"};
}

// The columns whose terms are the largest.
std::string LargestTerms(const Trace& trace, const std::vector<double>& terms) {
  std::vector<std::size_t> order(terms.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return std::abs(terms[a]) > std::abs(terms[b]); });
  order.resize(std::min<std::size_t>(order.size(), 8));
  std::string rows;
  for (const std::size_t j : order) {
    rows += "<tr><th scope=\"row\">" + std::to_string(j) + "</th>" +
            report::NumberCell(Format("%.4e", trace.dw_row[j])) +
            report::NumberCell(Format("%.4e", trace.change_row[j])) + report::NumberCell(Format("%.4e", terms[j])) +
            "</tr>\n";
  }
  return report::Table(Format("The largest of %zu terms", terms.size()),
                       {{"column"}, {"dW", true}, {"∂W/∂θ", true}, {"product", true}}, rows);
}

report::Step ProductStep(const Trace& trace) {
  std::vector<double> terms(trace.dw_row.size()), sums(terms.size());
  std::ranges::transform(trace.dw_row, trace.change_row, terms.begin(), std::multiplies<>());
  std::partial_sum(terms.begin(), terms.end(), sums.begin());
  const bool scores = trace.part == "scores";
  return {"The product",
          FormulaLine(scores ? "dS = dW·Bᵀ" : "dθ = Σ dW ∘ ∂W/∂θ over all of W") + "<dl class=\"facts\">\n" +
              report::Fact("Σ of this row", Format("%.14e", sums.empty() ? 0 : sums.back()),
                           scores ? "θ moves no other row" : "other rows may add to it") +
              report::Fact("Σ over all of W", Format("%.14e", trace.dot), "dW by the chain, in double") +
              report::Fact("dθ of the backward pass", Format("%.14e", trace.gradient), "as the tape left it") +
              "</dl>\n<div class=\"charts\">\n" + Captioned("the product of each column", RowChart("product", terms)) +
              Captioned("their running sum, from left to right", RowChart("sum", sums, true)) + "</div>\n" +
              LargestTerms(trace, terms)};
}

report::Step AdamWStep(const Trace& trace, const TraceOptions& options) {
  const AdamWOptions adamw;
  const auto row = [](const std::string& name, const std::string& formula, double value) {
    return "<tr><th scope=\"row\">" + name + "</th>" + report::Cell(formula) +
           report::NumberCell(Format("%.10g", value)) + "</tr>\n";
  };
  return {"The AdamW step",
          Paragraph(Format("Step 1 of AdamW at rate %g, β₁ = %g, β₂ = %g, ε = %g, without decay. Source: "
                           "<code>train/adamw.cc</code>, <code>tensor/kernels/adamw.cc</code>.",
                           options.lr, adamw.beta1, adamw.beta2, adamw.eps)) +
              report::Table("From the gradient to θ", {{"number"}, {"formula"}, {"value", true}},
                            row("m", "(1 − β₁)·dθ", trace.moment1) + row("v", "(1 − β₂)·dθ²", trace.moment2) +
                                row("m̂", "m / (1 − β₁)", trace.moment1 / (1 - adamw.beta1)) +
                                row("√v̂", "√(v / (1 − β₂))", std::sqrt(trace.moment2 / (1 - adamw.beta2))) +
                                row("θ", "before the step", trace.value) +
                                row("θ", "θ − lr·m̂ / (√v̂ + ε)", trace.next_value))};
}

report::Step DifferenceStep(const Trace& trace) {
  constexpr double kShifts[] = {-2, -1, 1, 2};
  constexpr const char* kNames[] = {"θ − 2h", "θ − h", "θ + h", "θ + 2h"};
  report::Axis x("shift of θ", report::Axis::Scale::kEven), y("change of the loss", report::Axis::Scale::kEven);
  for (std::size_t i = 0; i < trace.shifted.size(); ++i) {
    x.Include(1.2 * kShifts[i] * trace.shift);
    y.Include(trace.shifted[i] - trace.loss);
    y.Include(kShifts[i] * trace.shift * trace.gradient);
  }
  report::Chart chart(x, y, {.width = 480, .height = 240, .left = 74, .ticks = 4});
  const double end = 2 * trace.shift;
  chart.Line("curve", {{-end, -end * trace.gradient}, {end, end * trace.gradient}}, "the slope dθ");
  std::string rows;
  for (std::size_t i = 0; i < trace.shifted.size(); ++i) {
    const double shift = kShifts[i] * trace.shift;
    chart.Add(report::SvgCircle("adjoint", chart.X(shift), chart.Y(trace.shifted[i] - trace.loss), 5,
                                std::string(kNames[i]) + Format(": %.6e", trace.shifted[i] - trace.loss)));
    rows += "<tr><th scope=\"row\">" + std::string(kNames[i]) + "</th>" +
            report::NumberCell(Format("%.16g", trace.shifted[i])) +
            report::NumberCell(Format("%.6e", trace.shifted[i] - trace.loss)) + "</tr>\n";
  }
  return {
      "The check by differences",
      Paragraph("No backward pass here: θ is moved, and the loss is computed again. h = " + Format("%g", trace.shift) +
                ".") +
          FormulaLine("(8·(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h") + "<dl class=\"facts\">\n" +
          report::Fact("the difference", Format("%.14e", trace.difference), report::Mark(Agrees(trace))) +
          report::Fact("dθ", Format("%.14e", trace.gradient), "of the backward pass") +
          report::Fact("apart by", Scientific(std::abs(trace.difference - trace.gradient)),
                       "bound " + Scientific(Bound(trace)) + ": 1e-5 of dθ, and the rounding of the losses") +
          "</dl>\n<div class=\"charts\">\n" +
          Captioned("the loss at the four points, and the slope dθ through the loss", chart.Svg("losses around θ")) +
          "</div>\n" + report::Table("The losses", {{"at"}, {"loss", true}, {"less the loss at θ", true}}, rows)};
}

std::string Header(const Trace& trace, const TraceOptions& options, const std::string& label,
                   const std::string& command) {
  return "<header>\n<h1>The chain of " + Escape(trace.part + Place(options)) + " of " + Escape(options.weight) +
         "</h1>\n<p>Trained as " + Escape(label) + ". θ is this one number.</p>\n<dl class=\"facts\">\n" +
         report::Fact("loss", Format("%.6g", trace.loss), "of the batch") +
         report::Fact("dθ", Format("%.6e", trace.gradient), "of the backward pass") +
         report::Fact("difference of losses", Format("%.6e", trace.difference), report::Mark(Agrees(trace))) +
         report::Fact("AdamW's step", Format("%.3e", trace.next_value - trace.value), "of θ") +
         "</dl>\n<p>The same again: <code>" + Escape(command) + "</code></p>\n</header>\n";
}

}  // namespace

std::string FormatTracePage(const Trace& trace, const TraceOptions& options, const std::string& label,
                            const std::string& command) {
  std::vector<report::Step> steps;
  for (std::size_t i = 0; i < trace.path.size(); ++i) steps.push_back(OpStep(trace, i));
  steps.push_back(RowsStep(trace, options));
  steps.push_back(ProductStep(trace));
  steps.push_back(AdamWStep(trace, options));
  steps.push_back(DifferenceStep(trace));
  return report::Page(
      trace.part + Place(options) + " of " + options.weight,
      Header(trace, options, label, command) + "<div class=\"beside\">\n" + GraphSection(trace) +
          report::Section("Step by step",
                          "From the loss to the step that θ takes. The arrow keys ← and → go from one to the next.",
                          report::Steps(steps)) +
          "</div>\n",
      report::kStepScript);
}

}  // namespace ampgrad::train
