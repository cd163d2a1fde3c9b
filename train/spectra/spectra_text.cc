#include "train/spectra/spectra_text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "train/report/columns.h"
#include "train/report/format.h"
#include "train/spectra/figure_text.h"
#include "train/spectra/labels.h"

namespace ampgrad::train {
namespace {

using report::Format;
using report::Left;
using report::Right;

std::string Value(double value) { return ValueText(value); }

// "12.3*": a value with its star where it is marked.
std::string Value(const ct::Figure& figure) { return ValueText(figure.value) + (figure.marked ? "*" : ""); }

std::string Row(const std::string& name, size_t width, const std::vector<std::string>& cells, size_t cell) {
  std::string line = Left(name, width);
  for (const std::string& text : cells) line += Right(text, cell);
  return line + "\n";
}

std::string Whole(const ct::ModelSpectra& s) {
  std::string text =
      Format("%lld rows of width %lld\n\n", static_cast<long long>(s.rows), static_cast<long long>(s.width));
  text += Row("all rows", 34, {"value", "chance", "95 % level", "p"}, 12);
  const auto row = [&](const char* name, const ct::Figure& figure) {
    const std::string p = figure.tested() ? Format("%.1e", figure.p) : "–";
    text += Row(name, 34, {Value(figure), Value(figure.null), Value(figure.level), p}, 12);
  };
  row("participation ratio of the weights", s.weight_pr);
  row("share of λ above the noise's edge", s.share_above_edge);
  text += Row("PR of independent numbers", 34, {Value(s.iid_pr)}, 12);
  text += Row("n_95 of the weights", 34, {std::to_string(s.n95_weights)}, 12);
  const std::string draws =
      s.drawn_rows ? Format("%d stacks whose rows keep their norms and get random directions", s.stack_draws)
                   : "one stack of Gaussian rows of like norms; no test of the whole stack";
  return text + report::Wrap("chance: " + draws + "; edge: Marchenko–Pastur's", 2) + "\n\n";
}

std::string ByK(const ct::ModelSpectra& s) {
  std::string text = Row("K", 6, {"K/d", "R²", "chance", "ampl. PR", "PR λ₁…λ_K", "PC1", "n_95"}, 11);
  for (const auto& [k, f] : s.by_k) {
    text += Row(std::to_string(k), 6,
                {Value(f.random_level), Value(f.r2), Value(f.r2.null), Value(f.amplitude_pr), Value(f.spectrum_pr),
                 Value(f.pc1), std::to_string(f.n95)},
                11);
  }
  text += report::Wrap(
              "R² of a basis that these rows did not make is K/d on average; \"chance\" is that of a stack "
              "without structure by its own basis. The amplitude PR of all scores is a function of the "
              "weights' spectrum alone: by the universal basis λ(S) = λ₁…λ_K.",
              2) +
          "\n\n";
  text += Row("K", 6, {"overlap", "chance", "cosine", "chance", "95 % level", "in span(B)", "95 % level"}, 11);
  for (const auto& [k, f] : s.by_k) {
    text += Row(std::to_string(k), 6,
                {Value(f.subspace_overlap), Value(f.subspace_overlap.null), Value(f.mean_max_cosine),
                 Value(f.mean_max_cosine.null), Value(f.mean_max_cosine.level), Value(f.cosine_within_span),
                 Value(f.cosine_within_level)},
                11);
  }
  return text +
         report::Wrap(
             "Overlap and cosine of B with the top directions of EᵀE, by chance for random frames, and the "
             "cosine of random frames inside span(B): means, and what chance passes 5 times of 100.",
             2) +
         "\n\n";
}

std::string Layers(const ct::ModelSpectra& s) {
  std::string text = Row("layer", 14, {"PR, mean", "PR, stacked", "chance", "strength"}, 13);
  for (const ct::LayerSpectra& layer : s.layers) {
    text +=
        Row(std::to_string(layer.layer), 14,
            {Value(layer.pr_mean), Value(layer.pr_stacked), Value(layer.pr_stacked.null), Value(layer.strength)}, 13);
  }
  text += "\n" + Row("PR with depth", 34, {"Kendall's τ", "exact p"}, 13);
  for (const auto& [name, tau] : s.depth) {
    text += Row(name, 34, {Value(tau), std::isnan(tau.p) ? "–" : Format("%.2g", tau.p)}, 13);
  }
  return text + "\n";
}

std::string Matrices(const ct::ModelSpectra& s, Index k) {
  size_t width = 8;
  for (const ct::MatrixSpectra& matrix : s.matrices) width = std::max(width, report::Width(matrix.name));
  width = std::min<size_t>(width + 1, 36);
  std::string text = Format("every matrix, K = %lld\n", static_cast<long long>(k)) +
                     Row("", width, {"strength", "PR", "R²", "ampl.PR", "PC1", "corr.", "kurt.", "cosine"}, 8);
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    const ct::MatrixScores& f = matrix.by_k.at(k);
    const std::string name =
        report::Width(matrix.name) < width ? matrix.name : "…" + matrix.name.substr(matrix.name.size() - width + 2);
    text += Row(name, width,
                {Value(matrix.strength), Value(matrix.weight_pr), Value(f.r2), Value(f.amplitude_pr), Value(f.pc1),
                 Value(f.max_corr), Value(f.kurtosis), Value(f.mean_max_cosine)},
                9);
  }
  return text + "\n";
}

// How many matrices of each kind bear each label.
std::string Labels(const ct::ModelSpectra& s) {
  auto counts = CountLabels(s);
  if (counts.empty()) return "";
  const std::vector<std::string> labels(std::begin(kCrystalLabels), std::end(kCrystalLabels));
  std::string text = Row("matrices of a kind", 34, labels, 16);
  for (auto& [type, of_type] : counts) {
    std::vector<std::string> cells;
    for (const std::string& label : labels) cells.push_back(std::to_string(of_type[label]));
    text += Row(type, 34, cells, 16);
  }
  return text + report::Wrap(kLabelRule, 2) + "\n\n";
}

std::string Fitted(const char* what, const PowerFit& fit) {
  if (fit.points < 3) return std::string(what) + ": too few values of K for a fit\n";
  return report::Wrap(
             Format("%s: PR ~ K^%.2f (95 %% interval %.2f to %.2f) over %d values, K = %lld to %lld; √K is %s it", what,
                    fit.exponent, fit.low, fit.high, fit.points, static_cast<long long>(fit.first),
                    static_cast<long long>(fit.last), fit.HoldsRoot() ? "inside" : "outside"),
             2) +
         "\n";
}

std::string Scaling(const KScaling& scaling) {
  std::string text = Row("how K scales: the papers' laws", 46, {"K here", "R² there"}, 12);
  for (const KLaw& law : scaling.laws) text += Row(law.law, 46, {Format("%.1f", law.k), Value(law.r2)}, 12);
  text += Row("what the spectrum needs", 46, {"K", "K/d"}, 12);
  for (const KNeeded& need : scaling.needed) {
    text += Row(Format("R² ≥ %.2f", need.r2), 46, {std::to_string(need.k), Value(need.part)}, 12);
  }
  return text + Fitted("amplitude PR of all scores", scaling.spectrum) +
         Fitted("mean amplitude PR of the matrices", scaling.matrices) + "\n";
}

std::string Legend(const ct::ModelSpectra& spectra) {
  const FigureCounts counts = CountFigures(spectra);
  if (counts.tested == 0) return "No figure was tested against chance.\n";
  return report::Wrap(Format("Of %d figures tested, %d lie beyond the 95 %% level of chance, which alone would put %d "
                             "there; %d survive Holm's correction and bear a star.",
                             counts.tested, counts.exceeding, counts.expected(), counts.marked),
                      2) +
         "\n";
}

}  // namespace

std::string FormatSpectra(const ct::ModelSpectra& spectra, const KScaling& scaling) {
  const Index smallest = spectra.by_k.begin()->first;
  const Index shown = spectra.by_k.contains(8) ? 8 : smallest;
  return Whole(spectra) + ByK(spectra) + Layers(spectra) + Matrices(spectra, shown) + Labels(spectra) +
         Scaling(scaling) + Legend(spectra);
}

}  // namespace ampgrad::train
