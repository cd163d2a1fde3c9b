#include "train/spectra/score_plots.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <utility>
#include <vector>

#include "ct/spectra/spectrum.h"
#include "train/report/chart.h"
#include "train/report/format.h"
#include "train/report/html.h"
#include "train/report/svg.h"
#include "train/spectra/figure_text.h"
#include "train/spectra/spectra_plots.h"

namespace ampgrad::train {
namespace {

using report::Axis;
using report::Chart;
using report::Format;
using report::Key;
using report::LineKey;
using Points = Chart::Points;

// The PR of the leading K eigenvalues, for every K.
std::vector<double> LeadingPrs(const std::vector<double>& eigenvalues) {
  std::vector<double> prs;
  double trace = 0, squares = 0;
  for (const double value : eigenvalues) {
    trace += value;
    squares += value * value;
    prs.push_back(ct::ParticipationRatio(trace, squares));
  }
  return prs;
}

// The fitted power, through the middle of its points: K = first, 2·first, … last.
Points FittedLine(const PowerFit& fit, const std::vector<double>& prs) {
  if (fit.points < 3) return {};
  double x = 0, y = 0;
  int count = 0;
  for (Index k = fit.first; k <= fit.last; k *= 2, ++count) {
    x += std::log(static_cast<double>(k));
    y += std::log(prs[k - 1]);
  }
  Points line;
  for (const Index k : {fit.first, fit.last}) {
    const double at = std::log(static_cast<double>(k));
    line.emplace_back(static_cast<double>(k), std::exp(y / count + fit.exponent * (at - x / count)));
  }
  return line;
}

std::string FitText(const PowerFit& fit) {
  return Format("K^%.2f (95 %% interval %.2f to %.2f, K = %lld to %lld)", fit.exponent, fit.low, fit.high,
                static_cast<long long>(fit.first), static_cast<long long>(fit.last));
}

std::string AmplitudeSentence(const ct::ModelSpectra& s, const KScaling& scaling, const std::vector<double>& null) {
  std::string text = "There are too few values of K for a fit";
  if (scaling.spectrum.points >= 3) {
    text = "The PR of all scores grows as " + FitText(scaling.spectrum) + "; the papers' √K is " +
           (scaling.spectrum.HoldsRoot() ? "inside" : "outside") + " that interval";
  }
  if (scaling.matrices.points >= 3) text += ". That of single matrices grows as " + FitText(scaling.matrices);
  text += ". Scores of equal variance would give PR = K";
  if (null.empty()) return text + ".";
  const Index k = s.by_k.rbegin()->first;
  return text + Format(", and a drawn stack gives %.4g at K = %lld, where these weights give %.4g.", null[k - 1],
                       static_cast<long long>(k), s.by_k.rbegin()->second.spectrum_pr);
}

// Marks of what was measured at this K, and the words for it.
std::pair<std::string, std::string> MeasuredAt(const ct::ModelSpectra& s, Index k, const Chart& chart) {
  const auto measured = s.by_k.find(k);
  if (measured == s.by_k.end()) return {};
  const double x = chart.X(static_cast<double>(k)), all = measured->second.amplitude_pr, mean = MeanAmplitudePr(s, k);
  return {report::SvgCircle("complex", x, chart.Y(all), 5) + report::SvgDiamond("adjoint", x, chart.Y(mean), 5.5),
          "; amplitude PR of all scores " + LongText(all) + ", mean of the matrices " + LongText(mean)};
}

// The share of a Gaussian's numbers between two numbers of deviations.
double GaussianShare(double from, double to) {
  return (std::erfc(-to / std::numbers::sqrt2) - std::erfc(-from / std::numbers::sqrt2)) / 2;
}

struct Bin {
  double from, to, gaussian;  // in deviations; the outer bins hold all that lies beyond
};

std::vector<Bin> Bins() {
  std::vector<Bin> bins;
  const double width = 8.0 / ct::kHistogramBins;
  for (int i = 0; i < ct::kHistogramBins; ++i) {
    const double from = -4 + i * width;
    const bool first = i == 0, last = i + 1 == ct::kHistogramBins;
    bins.push_back({from, from + width, GaussianShare(first ? -40 : from, last ? 40 : from + width)});
  }
  return bins;
}

// The histogram of all rows of each kind of matrix, in the model's order.
std::vector<std::pair<std::string, std::vector<double>>> HistogramsByKind(const ct::ModelSpectra& s) {
  std::vector<std::pair<std::string, std::vector<double>>> kinds;
  std::map<std::string, double> rows;
  for (const ct::MatrixSpectra& matrix : s.matrices) rows[matrix.type] += static_cast<double>(matrix.rows);
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    auto found = std::ranges::find(kinds, matrix.type, [](const auto& kind) { return kind.first; });
    if (found == kinds.end()) found = kinds.insert(found, {matrix.type, std::vector<double>(ct::kHistogramBins, 0.0)});
    const double weight = static_cast<double>(matrix.rows) / rows[matrix.type];
    for (size_t i = 0; i < matrix.histogram.size(); ++i) found->second[i] += weight * matrix.histogram[i];
  }
  return kinds;
}

// The share of the scores that a Gaussian would put elsewhere.
double Misplaced(const std::vector<double>& histogram) {
  double sum = 0;
  const std::vector<Bin> bins = Bins();
  for (size_t i = 0; i < bins.size(); ++i) sum += std::abs(histogram[i] - bins[i].gaussian) / 2;
  return sum;
}

// Dots are where a long name may go on in the next line.
std::string WrappingName(const std::string& name) {
  std::string html;
  for (const char c : report::Escape(name)) html += c == '.' ? ".<wbr>" : std::string(1, c);
  return html;
}

std::string Histogram(const std::string& kind, const std::vector<double>& histogram, const Axis& share) {
  Axis deviations("deviations", Axis::Scale::kWhole);
  for (const double end : {-4.0, 4.0}) deviations.Include(end);
  Chart chart(deviations, share, {.width = 200, .height = 160, .left = 36, .ticks = 4});
  Points gaussian;
  const std::vector<Bin> bins = Bins();
  for (size_t i = 0; i < bins.size(); ++i) {
    const Bin& bin = bins[i];
    const double x = chart.X(bin.from), y = chart.Y(histogram[i]);
    chart.Add(report::SvgRect("column", x, y, chart.X(bin.to) - x, chart.bottom() - y,
                              Format("%.2f to %.2f deviations: share ", bin.from, bin.to) + LongText(histogram[i]) +
                                  "; a Gaussian's " + LongText(bin.gaussian)));
    gaussian.emplace_back((bin.from + bin.to) / 2, bin.gaussian);
  }
  chart.Line("curve other", gaussian, "a Gaussian of the same deviation");
  return "<figure>\n<figcaption><b>" + WrappingName(kind) + "</b><br><small>" +
         Format("%.1f %% off a Gaussian", 100 * Misplaced(histogram)) + "</small></figcaption>\n" +
         chart.Svg("Scores of " + kind) + "</figure>\n";
}

}  // namespace

std::string AmplitudePlot(const ct::ModelSpectra& s, const KScaling& scaling) {
  const std::vector<double> own = LeadingPrs(s.eigenvalues), null = LeadingPrs(s.null_eigenvalues);
  Axis ks("K, log", Axis::Scale::kLog), pr("participation ratio, log", Axis::Scale::kLog);
  for (const Index k : {Index{1}, s.width}) {
    ks.Include(static_cast<double>(k));
    for (const std::vector<double>* values : {&own, &null}) {
      if (!values->empty()) pr.Include((*values)[k - 1]);
    }
    pr.Include(std::sqrt(static_cast<double>(k)));
  }
  for (const auto& [k, figures] : s.by_k) pr.Include(MeanAmplitudePr(s, k));
  Chart chart(ks, pr);
  Points own_points, null_points;
  const std::vector<Index> shown = Thinned(s.width, Gaps::kLog);
  const std::vector<double> xs(shown.begin(), shown.end());
  for (size_t i = 0; i < shown.size(); ++i) {
    own_points.emplace_back(xs[i], own[shown[i] - 1]);
    if (!null.empty()) null_points.emplace_back(xs[i], null[shown[i] - 1]);
  }
  const double d = static_cast<double>(s.width);
  chart.Line("curve even", {{1, 1}, {d, std::sqrt(d)}}, "√K");
  chart.Line("curve null", null_points, "PR of λ₁…λ_K of one drawn stack");
  chart.Line("curve", own_points, "PR of λ₁…λ_K");
  const std::string fitted = scaling.spectrum.points < 3 ? "" : FitText(scaling.spectrum);
  chart.Line("curve other", FittedLine(scaling.spectrum, own), fitted);
  for (size_t i = 0; i < shown.size(); ++i) {
    const Index k = shown[i];
    const auto [marks, words] = MeasuredAt(s, k, chart);
    std::string title = Format("K = %lld: PR of λ₁…λ_K ", static_cast<long long>(k)) + LongText(own[k - 1]);
    if (!null.empty()) title += "; drawn stack " + LongText(null[k - 1]);
    chart.Column(xs, i, title + "; √K " + LongText(std::sqrt(xs[i])) + words, marks);
  }
  const std::string legend =
      LineKey("curve", "PR of λ₁…λ_K") + (null.empty() ? "" : LineKey("curve null", "drawn stack")) +
      (fitted.empty() ? "" : LineKey("curve other", Format("fitted, K^%.2f", scaling.spectrum.exponent))) +
      LineKey("curve even", "√K") + Key(report::SvgCircle("complex", 8, 8, 5), "all scores, measured") +
      Key(report::SvgDiamond("adjoint", 8, 8, 5.5), "mean of the matrices");
  return Picture("Amplitude PR over K", legend, chart.Svg("Amplitude participation ratio over K, on log axes"),
                 AmplitudeSentence(s, scaling, null));
}

std::string ScoreHistograms(const ct::ModelSpectra& s) {
  const auto kinds = HistogramsByKind(s);
  if (kinds.empty()) return "";
  Axis share("share", Axis::Scale::kEven);
  share.Include(0);
  for (const Bin& bin : Bins()) share.Include(bin.gaussian);
  for (const auto& [kind, histogram] : kinds) share.Include(std::ranges::max(histogram));
  std::string figures;
  for (const auto& [kind, histogram] : kinds) figures += Histogram(kind, histogram, share);
  const auto by_misplaced = [](const auto& kind) { return Misplaced(kind.second); };
  const auto least = std::ranges::min_element(kinds, {}, by_misplaced);
  const auto most = std::ranges::max_element(kinds, {}, by_misplaced);
  const std::string sentence = Format(
      "Of the scores at K = %lld, between %.1f %% (%s) and %.1f %% (%s) lie elsewhere than a Gaussian of the "
      "same deviation would put them. Chance would follow the curve; a narrow peak with long tails is excess "
      "kurtosis.",
      static_cast<long long>(s.by_k.rbegin()->first), 100 * Misplaced(least->second), least->first.c_str(),
      100 * Misplaced(most->second), most->first.c_str());
  return report::Legend(Key(report::SvgRect("column", 0, 2, 16, 14), "scores, in deviations from their mean") +
                        LineKey("curve other", "a Gaussian of the same deviation")) +
         "<div class=\"plots\">\n" + figures + "</div>\n<p class=\"said\">" + report::Escape(sentence) + "</p>\n";
}

}  // namespace ampgrad::train
