#include "tests/audit/report/plots.h"

#include <algorithm>
#include <cmath>

#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/svg.h"

namespace ampgrad::audit {
namespace {

// At most `limit` code points. The full name stands in a tooltip.
std::string Clip(const std::string& text, size_t limit) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && ++count > limit) return text.substr(0, i) + "…";
  }
  return text;
}

// Sizes of the dot plot, in pixels at full width.
constexpr double kPlotWidth = 860, kLabels = 170, kPlotEnd = 710, kTop = 24, kRow = 28;
constexpr double kZeroLane = kLabels + 14, kNotFiniteLane = kPlotEnd + 48;

struct ErrorPlotFrame {
  report::LogAxis axis;
  bool zeros = false, not_finite = false;  // whether those lanes are needed
  double bottom = 0;

  double At(double error) const {
    if (!std::isfinite(error)) return kNotFiniteLane;
    return error > 0 ? axis.At(error) : kZeroLane;
  }
};

ErrorPlotFrame MakeFrame(const std::vector<OpSummary>& ops) {
  report::Decades decades;
  ErrorPlotFrame frame{.axis = {}};
  for (const OpSummary& op : ops) {
    for (const OpFinding* finding : op.findings) {
      for (const double error : {finding->complex_step_error, finding->adjoint_error}) {
        decades.Include(error);
        frame.zeros = frame.zeros || error <= 0;
        frame.not_finite = frame.not_finite || !std::isfinite(error);
      }
      decades.Include(finding->bound);
      decades.Include(finding->bound * 100);  // so that the forbidden zone shows
    }
  }
  if (decades.empty()) decades.Include(1e-10);
  frame.axis = {decades.low(), std::max(decades.high(), decades.low() + 1), kZeroLane + (frame.zeros ? 34 : 0),
                kPlotEnd};
  frame.bottom = kTop + kRow * static_cast<double>(ops.size());
  return frame;
}

std::string DrawGrid(const ErrorPlotFrame& frame) {
  std::string svg;
  const double labels = frame.bottom + 16;
  const auto tick = [&](double x, const std::string& text) {
    return report::SvgLine("grid", x, kTop, x, frame.bottom) + report::SvgText("tick", x, labels, "middle", text);
  };
  for (int decade = frame.axis.low; decade <= frame.axis.high; decade += frame.axis.Step(10)) {
    svg += tick(frame.axis.At(std::pow(10, decade)), report::Format("1e%d", decade));
  }
  if (frame.zeros) svg += tick(kZeroLane, "0");
  if (frame.not_finite) svg += tick(kNotFiniteLane, "∞/NaN");
  return svg;
}

// One op: the zone beyond its bound, faint marks for all inputs and shapes, full marks for the worst.
std::string DrawOp(const OpSummary& op, const ErrorPlotFrame& frame, double top) {
  const double bound = frame.axis.At(op.greatest_bound), middle = top + kRow / 2;
  std::string svg = report::SvgRect("beyond", bound, top + 1, kPlotEnd - bound, kRow - 2);
  svg += report::SvgLine("bound", bound, top + 1, bound, top + kRow - 1);
  svg += report::SvgText(op.passed ? "name" : "bad", kLabels, middle + 4, "end",
                         (op.passed ? "" : "✗ ") + Clip(op.op, 18));
  for (const bool worst : {false, true}) {
    for (const OpFinding* f : op.findings) {
      const std::string where = f->op + " (" + f->shape + ", " + f->input + "): ";
      const std::string faint = worst ? "" : " faint";
      const auto style = [&](const char* kind, double error) {
        return (error <= f->bound && std::isfinite(error) ? kind : "wrong") + faint;
      };
      const double complex_step = f->complex_step_error, adjoint = f->adjoint_error;
      if (!worst || complex_step == op.complex_step_error || !std::isfinite(complex_step)) {
        svg += report::SvgCircle(style("complex", complex_step), frame.At(complex_step), middle - 5, worst ? 4.5 : 3.5,
                                 where + "complex-step error " + report::Scientific(complex_step));
      }
      if (!worst || adjoint == op.adjoint_error || !std::isfinite(adjoint)) {
        svg += report::SvgDiamond(style("adjoint", adjoint), frame.At(adjoint), middle + 6, worst ? 5.5 : 4.5,
                                  where + "adjoint error " + report::Scientific(adjoint));
      }
    }
  }
  const bool errors_hold = std::all_of(op.findings.begin(), op.findings.end(), [](const OpFinding* f) {
    return f->complex_step_error <= f->bound && f->adjoint_error <= f->bound;
  });
  const std::string result = op.passed ? "✓ ok" : errors_hold ? "✗ slope" : "✗ FAILED";
  return svg + report::SvgText(op.passed ? "good" : "bad", kPlotWidth - 4, middle + 4, "end", result);
}

std::string Legend() {
  return report::Legend(report::Key(report::SvgCircle("complex", 8, 8, 4.5, "circle"), "against the complex step") +
                        report::Key(report::SvgDiamond("adjoint", 8, 8, 5.5, "diamond"), "adjoint identity") +
                        report::Key(report::SvgRect("beyond", 8, 0, 8, 16) + report::SvgLine("bound", 8, 0, 8, 16),
                                    "bound, and the zone beyond it") +
                        "<li>full marks: the worst; faint: the other shapes and inputs</li>\n");
}

// Sizes of a Taylor plot.
constexpr double kTaylorWidth = 180, kTaylorHeight = 162, kTaylorLeft = 40, kTaylorRight = 162, kTaylorTop = 8,
                 kTaylorBottom = 132;

// The input to draw for an op, or null if all are straight.
const OpFinding* TaylorFinding(const OpSummary& op) {
  const OpFinding* first = nullptr;
  for (const OpFinding* f : op.findings) {
    if (f->straight) continue;
    if (!SlopeHolds(*f)) return f;
    if (!first) first = f;
  }
  return first;
}

// Whether a log scale has a place for it.
bool Drawable(const TaylorPoint& point) {
  return point.h > 0 && std::isfinite(point.h) && point.remainder > 0 && std::isfinite(point.remainder);
}

report::Decades RemainderDecades(const OpFinding& finding) {
  report::Decades decades;
  for (const TaylorPoint& point : finding.taylor) {
    if (Drawable(point)) decades.Include(point.remainder);
  }
  return decades;
}

// The same spans in all plots, so that a slope looks the same in each.
struct TaylorFrame {
  report::Decades h;
  int span = 1;  // of the remainder, in decades
};

// The line of slope 2 through the point with the longest step, down to the edge of the plot.
std::string DrawGuide(const OpFinding& finding, const report::LogAxis& x, const report::LogAxis& y) {
  const TaylorPoint* longest = nullptr;
  for (const TaylorPoint& point : finding.taylor) {
    if (Drawable(point) && (!longest || point.h > longest->h)) longest = &point;
  }
  if (!longest) return "";
  const double fall = std::log10(longest->remainder) - y.low;  // decades, at most what the plot holds
  const double run = std::min(fall / 2, std::log10(longest->h) - x.low);
  const double h = longest->h * std::pow(10, -run), remainder = longest->remainder * std::pow(10, -2 * run);
  return report::SvgLine("guide", x.At(longest->h), y.At(longest->remainder), x.At(h), y.At(remainder));
}

std::string DrawTaylor(const OpFinding& finding, const TaylorFrame& frame) {
  const report::Decades decades = RemainderDecades(finding);
  const bool holds = SlopeHolds(finding);
  std::string svg = report::OpenSvg(kTaylorWidth, kTaylorHeight,
                                    "Taylor remainder of " + finding.op + " over the step, slope " +
                                        report::Decimal(finding.taylor_slope) + (holds ? ", passed" : ", failed"),
                                    "taylor");
  if (decades.empty() || frame.h.empty()) {
    return svg + report::SvgText("tick", kTaylorWidth / 2, kTaylorHeight / 2, "middle", "no finite remainder") +
           "</svg>\n";
  }
  const report::LogAxis x{frame.h.low(), frame.h.high(), kTaylorLeft, kTaylorRight};
  const report::LogAxis y{decades.high() - frame.span, decades.high(), kTaylorBottom, kTaylorTop};
  for (int d = x.low; d <= x.high; d += x.Step(3)) {
    const double at = x.At(std::pow(10, d));
    svg += report::SvgLine("grid", at, kTaylorTop, at, kTaylorBottom) +
           report::SvgText("tick", at, kTaylorBottom + 14, "middle", report::Format("1e%d", d));
  }
  for (int d = y.high; d >= y.low; d -= y.Step(4)) {
    const double at = y.At(std::pow(10, d));
    svg += report::SvgLine("grid", kTaylorLeft, at, kTaylorRight, at) +
           report::SvgText("tick", kTaylorLeft - 5, at + 4, "end", report::Format("1e%d", d));
  }
  svg += report::SvgText("tick", kTaylorRight, kTaylorHeight - 3, "end", "step h →") + DrawGuide(finding, x, y);
  for (const TaylorPoint& point : finding.taylor) {
    if (!Drawable(point)) continue;
    svg += report::SvgCircle(holds ? "complex" : "wrong", x.At(point.h), y.At(point.remainder), 3.5,
                             "h " + report::Scientific(point.h) + ", remainder " + report::Scientific(point.remainder));
  }
  return svg + "</svg>\n";
}

}  // namespace

std::string ErrorPlot(const std::vector<OpSummary>& ops) {
  const ErrorPlotFrame frame = MakeFrame(ops);
  std::string svg =
      report::OpenSvg(kPlotWidth, frame.bottom + 24,
                      "Errors of " + std::to_string(ops.size()) + " ops against their bounds, on a log scale", "dots");
  svg +=
      DrawGrid(frame) + report::SvgText("tick", frame.axis.At(ops.front().greatest_bound), kTop - 8, "middle", "bound");
  double top = kTop;
  for (const OpSummary& op : ops) {
    svg += DrawOp(op, frame, top);
    top += kRow;
  }
  return Legend() +
         R"(<div class="scroll" role="region" tabindex="0" aria-label="Errors of the ops">)"
         "\n" +
         svg + "</svg>\n</div>\n";
}

std::string TaylorPlots(const std::vector<OpSummary>& ops) {
  TaylorFrame frame;
  for (const OpSummary& op : ops) {
    const OpFinding* finding = TaylorFinding(op);
    if (!finding) continue;
    for (const TaylorPoint& point : finding->taylor) {
      if (Drawable(point)) frame.h.Include(point.h);
    }
    frame.span = std::max(frame.span, RemainderDecades(*finding).count());
  }
  std::string html;
  for (const OpSummary& op : ops) {
    const OpFinding* finding = TaylorFinding(op);
    if (!finding) continue;
    const bool holds = SlopeHolds(*finding);
    html += "<figure>\n<figcaption><b>" + report::Escape(op.op) + "</b><br><span class=\"" +
            (holds ? "good\">✓" : "bad\">✗ FAILED:") + " slope " + report::Decimal(finding->taylor_slope) +
            "</span><br><small>" + report::Escape(finding->shape) + ", input " + report::Escape(finding->input) +
            "</small></figcaption>\n" + DrawTaylor(*finding, frame) + "</figure>\n";
  }
  return html.empty() ? "" : "<div class=\"plots\">\n" + html + "</div>\n";
}

}  // namespace ampgrad::audit
