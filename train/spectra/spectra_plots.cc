#include "train/spectra/spectra_plots.h"

#include <algorithm>
#include <cmath>

#include "ct/spectra/spectrum.h"
#include "train/report/chart.h"
#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/svg.h"
#include "train/spectra/figure_text.h"

namespace ampgrad::train {
namespace {

using report::Axis;
using report::Chart;
using report::Format;
using report::Key;
using report::LineKey;
using Points = Chart::Points;

// What a null of the spectrum is here.
std::string DrawnStack(const ct::ModelSpectra& s) {
  return s.drawn_rows ? "rows of the same norms in random directions" : "Gaussian rows of like norms";
}

// Zeros and what rounding leaves of them would take the whole axis.
Axis EigenvalueAxis(const ct::ModelSpectra& s) {
  Axis axis("eigenvalue λ, log", Axis::Scale::kLog);
  const double least = s.eigenvalues.front() * 1e-9;
  for (const std::vector<double>* values : {&s.eigenvalues, &s.null_eigenvalues}) {
    for (const double value : *values) {
      if (value >= least) axis.Include(value);
    }
  }
  axis.Include(s.edge);
  return axis;
}

Points ByIndex(const std::vector<double>& values) {
  Points points;
  for (size_t i = 0; i < values.size(); ++i) points.emplace_back(static_cast<double>(i + 1), values[i]);
  return points;
}

std::string EigenvalueSentence(const ct::ModelSpectra& s) {
  const auto above = std::ranges::count_if(s.eigenvalues, [&](double value) { return value > s.edge; });
  return Format("%lld of %lld eigenvalues lie above the edge and hold this share of Σλ: ",
                static_cast<long long>(above), static_cast<long long>(s.width)) +
         FigureInSentence(s.share_above_edge) + ". The participation ratio is " + FigureInSentence(s.weight_pr) +
         (s.null_eigenvalues.empty()
              ? ". Rows of one scale without structure would end at the edge."
              : ". Chance would follow the dashed curve, and where all rows had one scale, end at the edge.");
}

// The numbers at one K, and the papers' way to choose it.
std::string R2Title(const ct::ModelSpectra& s, Index k) {
  std::string title = Format("K = %lld: Σλ share ", static_cast<long long>(k)) +
                      LongText(ct::TopShare(s.eigenvalues, k)) + "; K/d " +
                      LongText(static_cast<double>(k) / static_cast<double>(s.width));
  if (!s.null_eigenvalues.empty()) title += "; drawn stack " + LongText(ct::TopShare(s.null_eigenvalues, k));
  const auto measured = s.by_k.find(k);
  return measured == s.by_k.end() ? title : title + "; measured R² " + FigureText(measured->second.r2);
}

// "d/32" of "K = d/32, S68's least".
std::string LawFormula(const std::string& law) {
  const size_t begin = law.find("= ");
  return begin == std::string::npos ? law : law.substr(begin + 2, law.find(',') - begin - 2);
}

// Room for the laws' names above the chart.
constexpr double kNameRow = 13, kNameRows = 3;

// Each name stands over its line in the lowest row where it meets no other: laws may lie close to each other.
void AddLaws(const KScaling& scaling, Chart& chart) {
  constexpr double kLetter = 7.5;
  std::vector<KLaw> laws = scaling.laws;
  std::ranges::sort(laws, {}, &KLaw::k);
  std::vector<double> ends(static_cast<size_t>(kNameRows), 0.0);
  for (const KLaw& law : laws) {
    const std::string name = LawFormula(law.law);
    const double k = std::max(1.0, law.k), x = chart.X(k);
    const auto free = std::ranges::find_if(ends, [x](double end) { return end <= x; });
    const auto row = free == ends.end() ? ends.end() - 1 : free;
    *row = x + kLetter * static_cast<double>(name.size());
    chart.Upright("curve even", k, law.law + ": K = " + LongText(law.k) + ", Σλ share " + ValueText(law.r2));
    chart.Add(report::SvgText("tick", x - 2, chart.top() - 5 - kNameRow * static_cast<double>(row - ends.begin()),
                              "start", name));
  }
}

std::string R2Sentence(const ct::ModelSpectra& s) {
  std::string text;
  const auto& [first, of_first] = *s.by_k.begin();
  const auto& [last, of_last] = *s.by_k.rbegin();
  const auto at = [](Index k, const ct::KFigures& f) {
    return Format("K = %lld gives R² ", static_cast<long long>(k)) + FigureInSentence(f.r2) + ", where K/d is " +
           ValueText(f.random_level);
  };
  text = at(first, of_first);
  if (last != first) text += "; " + at(last, of_last);
  return text + ". A basis that has not seen these rows would give K/d, and one computed from rows without structure " +
         (s.null_eigenvalues.empty() ? "somewhat more." : "the dashed curve.");
}

std::string DepthSentence(const ct::ModelSpectra& s) {
  const auto by_pr = [](const ct::LayerSpectra& layer) { return layer.pr_stacked.value; };
  const auto [least, most] = std::ranges::minmax(s.layers, {}, by_pr);
  FigureCounts counts;
  for (const ct::LayerSpectra& layer : s.layers) counts.Count(layer.pr_stacked);
  std::string text = "Stacked PR runs from " + ValueText(least.pr_stacked.value) +
                     Format(" in layer %lld to ", static_cast<long long>(least.layer)) +
                     ValueText(most.pr_stacked.value) +
                     Format(
                         " in layer %lld; of %d layers tested %d lie below the 95 %% level of chance and %d survive "
                         "Holm's correction",
                         static_cast<long long>(most.layer), counts.tested, counts.exceeding, counts.marked);
  const auto tau = s.depth.find("layer stacked");
  if (tau != s.depth.end() && tau->second.tested()) {
    const ct::Figure& f = tau->second;
    text += ". Its Kendall's τ with depth is " + Format("%.2f, p %.2g", f.value, f.p) +
            (f.marked     ? ", which survives the correction"
             : f.p < 0.05 ? " before any correction"
                          : ", no more than chance alone gives");
  }
  return text + ". Rows without structure would lie on the dashed curve, and τ would be near 0.";
}

std::string DepthTitle(const ct::LayerSpectra& layer) {
  return Format("layer %lld: stacked PR ", static_cast<long long>(layer.layer)) + FigureText(layer.pr_stacked) +
         "; mean of its matrices' PR " + ValueText(layer.pr_mean);
}

}  // namespace

std::vector<Index> Thinned(Index count, Gaps gaps) {
  constexpr Index kEven = 300, kAll = 400;
  std::vector<Index> indices;
  for (Index i = 1; i <= count;) {
    indices.push_back(i);
    const Index gap = gaps == Gaps::kEven ? count / kEven : i / 64;
    i += count <= kAll ? 1 : std::max<Index>(1, gap);
  }
  return indices;
}

std::string Picture(const std::string& heading, const std::string& legend, const std::string& picture,
                    const std::string& sentence) {
  return "<figure>\n<h3>" + heading + "</h3>\n" + (legend.empty() ? "" : report::Legend(legend)) + picture +
         "<figcaption class=\"said\">" + report::Escape(sentence) + "</figcaption>\n</figure>\n";
}

std::string EigenvaluePlot(const ct::ModelSpectra& s) {
  const bool drawn = !s.null_eigenvalues.empty(), dots = s.width <= 128;  // more would hide the curves
  Axis index("index", Axis::Scale::kEven);
  index.Include(1);
  index.Include(static_cast<double>(s.width));
  Chart chart(index, EigenvalueAxis(s));
  if (drawn) chart.Line("curve null", ByIndex(s.null_eigenvalues), "eigenvalues of one drawn stack");
  chart.Line("curve", ByIndex(s.eigenvalues), "eigenvalues of all rows");
  const std::vector<Index> shown = Thinned(s.width, Gaps::kEven);
  const std::vector<double> xs(shown.begin(), shown.end());
  for (size_t i = 0; i < shown.size(); ++i) {
    const double value = s.eigenvalues[shown[i] - 1];
    std::string title = Format("λ%lld = ", static_cast<long long>(shown[i])) + LongText(value);
    std::string marks = dots ? report::SvgCircle("complex", chart.X(xs[i]), chart.Y(value), 2.2) : "";
    if (drawn) {
      const double null = s.null_eigenvalues[shown[i] - 1];
      title += "; drawn stack " + LongText(null);
      if (dots) marks += report::SvgCircle("chance", chart.X(xs[i]), chart.Y(null), 1.6);
    }
    chart.Column(xs, i, title + "; edge " + LongText(s.edge), marks);
  }
  chart.Level("curve edge", s.edge, "Marchenko–Pastur's edge " + LongText(s.edge));
  const std::string legend = LineKey("curve", "all rows") +
                             (drawn ? LineKey("curve null", "one drawn stack: " + DrawnStack(s)) : "") +
                             LineKey("curve edge", "Marchenko–Pastur's upper edge");
  return Picture("Eigenvalues of the rows", legend, chart.Svg("Eigenvalues over their index, on a log axis"),
                 EigenvalueSentence(s));
}

std::string R2Plot(const ct::ModelSpectra& s, const KScaling& scaling) {
  const bool drawn = !s.null_eigenvalues.empty();
  const double d = static_cast<double>(s.width);
  Axis ks("K, log", Axis::Scale::kLog), share("share of the variance", Axis::Scale::kEven);
  for (const double k : {1.0, d}) ks.Include(k);
  for (const double r2 : {0.0, 1.0}) share.Include(r2);
  Chart chart(ks, share, {.height = 300 + kNameRow * kNameRows, .top = 26 + kNameRow * kNameRows});
  Points own, null, even;
  for (Index k = 1; k <= s.width; ++k) {
    const double x = static_cast<double>(k);
    own.emplace_back(x, ct::TopShare(s.eigenvalues, k));
    if (drawn) null.emplace_back(x, ct::TopShare(s.null_eigenvalues, k));
    even.emplace_back(x, x / d);
  }
  AddLaws(scaling, chart);
  chart.Line("curve other", even, "K/d");
  chart.Line("curve null", null, "top-K share of one drawn stack");
  chart.Line("curve", own, "top-K share of Σλ");
  std::vector<Index> shown = Thinned(s.width, Gaps::kLog);
  for (const auto& [k, figures] : s.by_k) shown.push_back(k);
  std::ranges::sort(shown);
  shown.erase(std::ranges::unique(shown).begin(), shown.end());
  const std::vector<double> xs(shown.begin(), shown.end());
  for (size_t i = 0; i < shown.size(); ++i) {
    const auto measured = s.by_k.find(shown[i]);
    std::string marks;
    if (measured != s.by_k.end()) {
      const ct::Figure& r2 = measured->second.r2;
      marks = report::SvgCircle(r2.marked ? "complex" : "hollow", chart.X(xs[i]), chart.Y(r2.value), 5);
    }
    chart.Column(xs, i, R2Title(s, shown[i]), marks);
  }
  const std::string legend = LineKey("curve", "top-K share of Σλ") +
                             (drawn ? LineKey("curve null", "drawn stack") : "") + LineKey("curve other", "K/d") +
                             LineKey("curve even", "the papers' laws of K") +
                             Key(report::SvgCircle("complex", 8, 8, 5), "measured R², survives") +
                             Key(report::SvgCircle("hollow", 8, 8, 5), "measured, does not survive");
  return Picture("R² over K", legend, chart.Svg("R squared over K, beside K/d and a drawn stack"), R2Sentence(s));
}

std::string DepthPlot(const ct::ModelSpectra& s) {
  if (s.layers.empty()) return "";
  Axis depth("layer", Axis::Scale::kWhole), pr("participation ratio", Axis::Scale::kEven);
  pr.Include(0);
  Points stacked, null, mean;
  std::vector<double> xs;
  for (const ct::LayerSpectra& layer : s.layers) {
    const double x = static_cast<double>(layer.layer);
    xs.push_back(x);
    stacked.emplace_back(x, layer.pr_stacked.value);
    null.emplace_back(x, layer.pr_stacked.null);
    mean.emplace_back(x, layer.pr_mean);
    depth.Include(x);
    for (const double value : {layer.pr_stacked.value, layer.pr_stacked.null, layer.pr_mean}) pr.Include(value);
  }
  Chart chart(depth, pr);
  chart.Line("curve null", null, "stacked PR of rows without structure");
  chart.Line("curve other", mean, "mean of the matrices' PR");
  chart.Line("curve", stacked, "PR of the layer's rows stacked");
  const double radius = s.layers.size() > 40 ? 2.8 : 4.5;
  for (size_t i = 0; i < s.layers.size(); ++i) {
    const ct::LayerSpectra& layer = s.layers[i];
    const double x = chart.X(xs[i]);
    const char* sign = layer.pr_stacked.marked ? "complex" : "hollow";
    chart.Column(xs, i, DepthTitle(layer),
                 report::SvgDiamond("adjoint", x, chart.Y(layer.pr_mean), radius) +
                     report::SvgCircle(sign, x, chart.Y(layer.pr_stacked.value), radius));
  }
  const std::string legend = Key(report::SvgCircle("complex", 8, 8, 4.5), "stacked, survives") +
                             Key(report::SvgCircle("hollow", 8, 8, 4.5), "stacked, does not survive") +
                             Key(report::SvgDiamond("adjoint", 8, 8, 5), "mean of the matrices") +
                             LineKey("curve null", "stacked, by chance");
  return Picture("PR over depth", legend, chart.Svg("Participation ratio of each layer"), DepthSentence(s));
}

}  // namespace ampgrad::train
