#include "train/claims/report/report_figures.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "train/claims/finding.h"
#include "train/report/chart.h"
#include "train/report/columns.h"
#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/style.h"
#include "train/report/svg.h"
#include "train/spectra/spectra_plots.h"

namespace ampgrad::train {
namespace {

using report::Axis;
using report::Chart;
using report::Format;
using report::LineKey;
using Points = Chart::Points;

// A point with the ends of its interval; without an interval both are the mean.
struct BandPoint {
  double x = 0;
  Interval y = {};
  double scale = 1;

  double Mean() const { return scale * y.mean; }
  double Low() const { return scale * (y.HasEnds() ? y.low : y.mean); }
  double High() const { return scale * (y.HasEnds() ? y.high : y.mean); }
};

// A series of points, its line over its band.
struct Series {
  std::string line, band;  // styles
  std::string name;
  std::vector<BandPoint> points;
};

void AddSeries(const Series& series, Chart& chart) {
  Points means;
  std::vector<std::pair<double, double>> outline;
  for (const BandPoint& point : series.points) {
    if (!point.y.HasMean()) continue;
    means.emplace_back(point.x, point.Mean());
    outline.emplace_back(chart.X(point.x), chart.Y(point.High()));
  }
  for (auto point = series.points.rbegin(); point != series.points.rend(); ++point) {
    if (point->y.HasMean()) outline.emplace_back(chart.X(point->x), chart.Y(point->Low()));
  }
  if (outline.empty()) return;
  chart.Add(report::SvgPolyline(series.band + " faint", outline, series.name + ": 95 % intervals"));
  chart.Line(series.line, means, series.name);
  for (const BandPoint& point : series.points) {
    if (!point.y.HasMean()) continue;
    const std::string title = Format("%s at %g: %.4g (%.4g to %.4g; ", series.name.c_str(), point.x, point.Mean(),
                                     point.Low(), point.High()) +
                              DescribeSeeds(point.y) + ")";
    chart.Add(report::SvgCircle(series.band, chart.X(point.x), chart.Y(point.Mean()), 3.5, title));
  }
}

std::string ChartOf(const std::vector<Series>& all, Axis x, Axis y, const std::string& label) {
  bool any = false;
  for (const Series& series : all) {
    for (const BandPoint& point : series.points) {
      if (!point.y.HasMean()) continue;
      any = true;
      x.Include(point.x);
      y.Include(point.Low());
      y.Include(point.High());
    }
  }
  if (!any) return "";
  Chart chart(std::move(x), std::move(y));
  for (const Series& series : all) AddSeries(series, chart);
  return chart.Svg(label);
}

std::string LegendOf(const std::vector<Series>& all) {
  std::string keys;
  for (const Series& series : all) keys += LineKey(series.line, series.name);
  return keys;
}

// Full SFT and both starts at the greatest compared K, without points.
std::vector<std::pair<const Arm*, Series>> Compared(const StudyRuns& runs) {
  std::vector<std::pair<const Arm*, Series>> compared;
  const auto add = [&](const Arm* arm, const char* line, const char* band) {
    if (arm) compared.push_back({arm, {line, band, arm->name, {}}});
  };
  add(runs.Full(), "curve edge", "chance");
  const std::vector<Index> ks = ComparedKs(runs);
  if (ks.empty()) return compared;
  add(runs.Amplitude(ct::Start::kExact, ks.back()), "curve", "complex");
  add(runs.Amplitude(ct::Start::kReconstructed, ks.back()), "curve other", "adjoint");
  return compared;
}

// The lowest y of all points so far, from low x to high: no point of the front is beaten in both.
Points FrontOf(Points points) {
  std::ranges::sort(points);
  Points front;
  for (const auto& point : points) {
    if (front.empty() || point.second < front.back().second) front.push_back(point);
  }
  return front;
}

}  // namespace

ReportFigure KCurveFigure(const StudyInput& study, ct::Start start) {
  Series papers{"curve other", "adjoint", "papers' efficiency", {}}, base{"curve", "complex", "from base", {}};
  for (const CurvePoint& point : KCurve(study.runs, start)) {
    papers.points.push_back({static_cast<double>(point.k), point.from_start, 100});
    base.points.push_back({static_cast<double>(point.k), point.from_base, 100});
  }
  const std::string name = ct::ToString(start);
  return {"k_curve_" + name, "Efficiency over K, start " + name, LegendOf({papers, base}),
          ChartOf({papers, base}, Axis("K, log", Axis::Scale::kLog), Axis("efficiency, %", Axis::Scale::kEven),
                  "Efficiency over K, start " + name),
          "What an arm gains, as a part of full SFT's gain: by the papers, each from its own start, and from the model "
          "as it was given. 100 % is full SFT; below 0 the model is worse than before."};
}

ReportFigure LearningFigure(const StudyInput& study) {
  std::vector<Series> all;
  for (auto& [arm, series] : Compared(study.runs)) {
    const auto start = [](const StudyRun& run) { return run.start_loss; };
    series.points.push_back({0, Summary(study.runs.Of(*arm, start))});
    std::set<Index> steps;
    for (const StudyRun& run : study.runs.runs()) {
      if (run.arm.name != arm->name) continue;
      for (const HeldOutPoint& point : run.held_out) steps.insert(point.step);
    }
    for (const Index step : steps) {
      const SeedValues losses = study.runs.Of(*arm, [step](const StudyRun& run) {
        for (const HeldOutPoint& point : run.held_out) {
          if (point.step == step) return point.loss;
        }
        return static_cast<double>(NAN);
      });
      series.points.push_back({static_cast<double>(step), Summary(losses)});
    }
    all.push_back(std::move(series));
  }
  return {"learning", "Held-out loss over steps", LegendOf(all),
          ChartOf(all, Axis("step", Axis::Scale::kEven), Axis("held-out loss", Axis::Scale::kEven),
                  "Held-out loss over steps"),
          "How the loss on held-out data falls; bands are 95 % intervals over seeds."};
}

ReportFigure EndLossFigureOf(const std::vector<ArmRow>& rows, const std::string& group) {
  std::vector<const ArmRow*> shown;
  std::string full;
  Axis axis("end loss", Axis::Scale::kEven);
  for (const ArmRow& row : rows) {
    const bool in_group = std::ranges::find(row.arm->groups, group) != row.arm->groups.end();
    if (!in_group || !row.end_loss.HasMean()) continue;
    // It may lie so far from the others that they would be one point.
    if (row.arm->method.method == "full") {
      full = Format(" Not drawn: full SFT, which ends at %.4f.", row.end_loss.mean);
      continue;
    }
    shown.push_back(&row);
    axis.Include(row.end_loss.HasEnds() ? row.end_loss.low : row.end_loss.mean);
    axis.Include(row.end_loss.HasEnds() ? row.end_loss.high : row.end_loss.mean);
  }
  ReportFigure figure{"end_loss_" + group, "End losses: " + group, "", "",
                      "Held-out loss after the last step with its 95 % interval; further left is better." + full};
  if (shown.size() < 2) return figure;
  constexpr double kRow = 20, kLetter = 8, kAxis = 300;
  size_t longest = 0;
  for (const ArmRow* row : shown) longest = std::max(longest, report::Width(row->arm->name));
  const double left = kLetter * static_cast<double>(longest) + 16, right = left + kAxis;
  const double bottom = kRow * static_cast<double>(shown.size()) + 10;
  const auto x = [&](double value) { return left + kAxis * axis.Fraction(value); };
  figure.svg = report::OpenSvg(right + 20, bottom + 30, figure.heading, "chart");
  for (const double tick : axis.Ticks(5)) {
    figure.svg += report::SvgLine("grid", x(tick), 4, x(tick), bottom) +
                  report::SvgText("tick", x(tick), bottom + 17, "middle", Format("%.4g", tick));
  }
  for (size_t i = 0; i < shown.size(); ++i) {
    const Interval& loss = shown[i]->end_loss;
    const double y = kRow * (static_cast<double>(i) + 0.75);
    figure.svg += report::SvgText("tick", left - 8, y + 4, "end", shown[i]->arm->name);
    if (loss.HasEnds()) figure.svg += report::SvgPolyline("curve", {{x(loss.low), y}, {x(loss.high), y}});
    figure.svg += report::SvgCircle("complex", x(loss.mean), y, 4,
                                    Describe(ClaimFigure{shown[i]->arm->name, loss, FigureUnit::kNumber}));
  }
  figure.svg += "</svg>\n";
  return figure;
}

ReportFigure ParetoFigure(const std::vector<ArmRow>& rows, const Metric& x, const Metric& y) {
  const auto axis = [](const Metric& metric) {
    return Axis(std::string(metric.name) + (metric.log ? ", log" : ""),
                metric.log ? Axis::Scale::kLog : Axis::Scale::kEven);
  };
  const auto has_place = [](const Metric& metric, double value) {
    return std::isfinite(value) && (!metric.log || value > 0);
  };
  Axis across = axis(x), up = axis(y);
  Points points;
  std::vector<std::string> names;
  for (const ArmRow& row : rows) {
    if (!has_place(x, x.of(row)) || !has_place(y, y.of(row)) || row.end_loss.diverged > 0) continue;
    points.emplace_back(x.of(row), y.of(row));
    names.push_back(row.arm->name);
    across.Include(x.of(row));
    up.Include(y.of(row));
  }
  ReportFigure figure{
      "pareto", std::string("Pareto front: ") + y.name + " over " + x.name,
      LineKey("curve", "Pareto front") + report::Key(report::SvgCircle("chance", 8, 8, 4), "beaten in both"), "", ""};
  if (points.size() < 2) return figure;
  Chart chart(across, up);
  const Points front = FrontOf(points);
  chart.Line("curve", front, "Pareto front");
  std::string on_front;
  for (size_t i = 0; i < points.size(); ++i) {
    const bool best = std::ranges::find(front, points[i]) != front.end();
    if (best) on_front += (on_front.empty() ? "" : "; ") + names[i];
    chart.Add(report::SvgCircle(best ? "complex" : "chance", chart.X(points[i].first), chart.Y(points[i].second), 4,
                                Format("%s: %.6g, %.6g", names[i].c_str(), points[i].first, points[i].second)));
  }
  figure.svg = chart.Svg(figure.heading);
  figure.sentence =
      Format("%zu arms; no arm is below and left of the front, which has ", points.size()) + on_front +
      ". Arms of other lengths, of few samples or at fixed rates, and those of which a run diverged, have "
      "no point.";
  return figure;
}

const std::vector<Metric>& Metrics() {
  static const std::vector<Metric> metrics = {
      {"trained numbers", [](const ArmRow& row) { return static_cast<double>(row.trained); }, true},
      {"end loss", [](const ArmRow& row) { return row.end_loss.mean; }},
      {"MB of tensors at most", [](const ArmRow& row) { return row.memory.mean / 1e6; }},
      {"ms a step", [](const ArmRow& row) { return 1e3 * row.seconds_per_step.mean; }},
      {"forgetting", [](const ArmRow& row) { return row.forgetting.mean; }},
      {"‖ΔW‖/‖W‖", [](const ArmRow& row) { return row.change_relative.mean; }, true},
      {"share of problems not answered", [](const ArmRow& row) { return 1 - row.answered.mean; }}};
  return metrics;
}

std::vector<ArmRow> EqualRows(const StudyInput& study) {
  std::vector<ArmRow> rows = ArmRows(study);
  const Arm* full = study.runs.Full();
  std::erase_if(rows, [full](const ArmRow& row) {
    const Arm& arm = *row.arm;
    return !full || arm.IsLevel() || arm.steps != full->steps || arm.samples != full->samples || !HasSearchedRate(arm);
  });
  return rows;
}

std::string ParetoChoice(const StudyInput& study, const std::string& id) {
  const std::vector<ArmRow> rows = EqualRows(study);
  const std::vector<Metric>& metrics = Metrics();
  std::string figures;
  std::set<size_t> shown;
  for (size_t x = 0; x < metrics.size(); ++x) {
    for (size_t y = 0; y < metrics.size(); ++y) {
      const ReportFigure figure = x == y ? ReportFigure{} : ParetoFigure(rows, metrics[x], metrics[y]);
      if (figure.svg.empty()) continue;
      shown.insert(x);
      figures += Format("<div id=\"%s-%zu-%zu\"%s>\n", id.c_str(), x, y, x == 0 && y == 1 ? "" : " hidden") +
                 Picture(report::Escape(figure.heading), figure.legend, figure.svg, figure.sentence) + "</div>\n";
    }
  }
  const auto select = [&](const char* label, size_t chosen) {
    std::string html = std::string("<label>") + label + " <select>\n";
    for (const size_t metric : shown) {
      html += Format("<option value=\"%zu\"%s>", metric, metric == chosen ? " selected" : "") +
              report::Escape(metrics[metric].name) + "</option>\n";
    }
    return html + "</select></label>\n";
  };
  if (!shown.contains(0) || !shown.contains(1)) return "";
  return "<div class=\"pareto\">\n<p class=\"pair\" data-of=\"" + id + "\" hidden>" + select("across:", 0) +
         select("up:", 1) + "</p>\n" + figures + "</div>\n";
}

ReportFigure CaptureFigure(const StudyInput& study) {
  Series capture{"curve", "complex", "gradient capture", {}}, r2{"curve other", "adjoint", "R²", {}};
  Series even{"curve even", "chance", "K/d", {}};
  std::set<Index> ks;
  for (const auto& [seed, by_k] : study.captures) {
    for (const auto& [k, share] : by_k) ks.insert(k);
  }
  for (const Index k : ks) {
    const double part = static_cast<double>(k) / static_cast<double>(study.width);
    if (study.width == 0) break;
    capture.points.push_back({part, Summary(study.Capture(k))});
    r2.points.push_back({part, Plain("", AnalysisAt(study, k, "r2")).interval});
    even.points.push_back({part, Plain("", part).interval});
  }
  return {"capture", "Gradient capture and R² over K/d", LegendOf({capture, r2, even}),
          ChartOf({capture, r2, even}, Axis("K/d, log", Axis::Scale::kLog), Axis("share", Axis::Scale::kEven),
                  "Gradient capture and R² over K/d"),
          "How much of dW, and of the weights, lies in the span of the basis. A random basis has K/d."};
}

ReportFigure RateFigure(const StudyInput& study) {
  std::vector<Series> all;
  for (auto& [arm, series] : Compared(study.runs)) {
    const auto run = std::ranges::find(study.runs.runs(), arm->name, [](const StudyRun& r) { return r.arm.name; });
    for (const TriedRate& tried : run->rate.tried) {
      if (std::isfinite(tried.loss)) series.points.push_back({tried.lr, Plain("", tried.loss).interval});
    }
    all.push_back(std::move(series));
  }
  return {"rates", "Validation loss over the rates that were tried", LegendOf(all),
          ChartOf(all, Axis("learning rate, log", Axis::Scale::kLog), Axis("validation loss", Axis::Scale::kEven),
                  "Validation loss over the rates that were tried"),
          "Each arm's rate is the one of the lowest loss; rates at which it diverged are not shown."};
}

std::vector<ReportFigure> ReportFigures(const StudyInput& study) {
  const std::vector<ArmRow> rows = ArmRows(study);
  std::vector<ReportFigure> figures;
  for (const ct::Start start : kStarts) figures.push_back(KCurveFigure(study, start));
  for (const char* group : {"bases", "peers"}) figures.push_back(EndLossFigureOf(rows, group));
  figures.push_back(LearningFigure(study));
  figures.push_back(ParetoFigure(EqualRows(study), Metrics()[0], Metrics()[1]));
  figures.push_back(CaptureFigure(study));
  figures.push_back(RateFigure(study));
  std::erase_if(figures, [](const ReportFigure& figure) { return figure.svg.empty(); });
  return figures;
}

std::string StandaloneSvg(const ReportFigure& figure) {
  const size_t end = figure.svg.find('>') + 1;
  return R"(<svg xmlns="http://www.w3.org/2000/svg")" + figure.svg.substr(4, end - 4) + "<style>" +
         report::kReportStyle + "</style>" + figure.svg.substr(end);
}

}  // namespace ampgrad::train
