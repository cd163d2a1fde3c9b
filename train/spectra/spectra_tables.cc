#include "train/spectra/spectra_tables.h"

#include <cmath>
#include <map>

#include "train/report/format.h"
#include "train/report/html.h"
#include "train/spectra/figure_text.h"
#include "train/spectra/labels.h"

namespace ampgrad::train {
namespace {

using report::Format;
using report::NamedRow;
using report::NumberCell;
using report::SortableTable;

constexpr const char* kNoStar = "<span class=\"star\"></span>";

// A place for the star stands behind every figure, so that the numbers stay below each other.
std::string FigureCell(const ct::Figure& figure) {
  return "<td class=\"number\" title=\"" + report::Escape(FigureText(figure)) + "\">" + ValueText(figure.value) +
         "<span class=\"star\">" + (figure.marked ? "★" : "") + "</span></td>";
}

std::string ValueCell(double value) { return NumberCell(ValueText(value)); }
std::string CountCell(Index count) { return NumberCell(std::to_string(count)); }
std::string PCell(double p) { return NumberCell(std::isnan(p) ? "–" : Format("%.2g", p)); }

// A figure, what chance gives, its level and p.
std::string FigureCells(const ct::Figure& figure) {
  return FigureCell(figure) + ValueCell(figure.null) + ValueCell(figure.level) + PCell(figure.p);
}

}  // namespace

std::string WholeTable(const ct::ModelSpectra& s) {
  const std::string rows = NamedRow("participation ratio of the weights", true, FigureCells(s.weight_pr)) +
                           NamedRow("share of Σλ above the noise's edge", true, FigureCells(s.share_above_edge)) +
                           NamedRow("PR of independent Gaussian numbers", true, FigureCells(ct::Untested(s.iid_pr))) +
                           NamedRow("n_95 of the weights", true,
                                    NumberCell(std::to_string(s.n95_weights) + kNoStar) + NumberCell("–") +
                                        NumberCell("–") + NumberCell("–"));
  return SortableTable("All rows", {{"figure"}, {"value", true}, {"chance", true}, {"95 % level", true}, {"p", true}},
                       rows);
}

std::string KTable(const ct::ModelSpectra& s) {
  std::string rows;
  for (const auto& [k, f] : s.by_k) {
    rows += NamedRow(std::to_string(k), true,
                     ValueCell(f.random_level) + FigureCells(f.r2) + ValueCell(f.variance_captured) +
                         ValueCell(f.amplitude_pr) + ValueCell(f.spectrum_pr) + ValueCell(f.pc1) + CountCell(f.n95) +
                         CountCell(f.scores));
  }
  return SortableTable("By K, over all rows",
                       {{"K"},
                        {"K/d", true},
                        {"R²", true},
                        {"chance", true},
                        {"95 % level", true},
                        {"p", true},
                        {"variance captured", true},
                        {"amplitude PR", true},
                        {"PR of λ₁…λ_K", true},
                        {"PC1", true},
                        {"n_95", true},
                        {"scores", true}},
                       rows);
}

std::string AlignmentTable(const ct::ModelSpectra& s) {
  std::string rows;
  for (const auto& [k, f] : s.by_k) {
    if (std::isnan(f.subspace_overlap.value)) continue;
    rows += NamedRow(std::to_string(k), true,
                     FigureCells(f.subspace_overlap) + FigureCells(f.mean_max_cosine) +
                         ValueCell(f.cosine_within_span) + ValueCell(f.cosine_within_level));
  }
  if (rows.empty()) return "";
  return SortableTable("B and the top directions of EᵀE",
                       {{"K"},
                        {"overlap", true},
                        {"chance", true},
                        {"95 % level", true},
                        {"p", true},
                        {"mean-max cosine", true},
                        {"chance", true},
                        {"95 % level", true},
                        {"p", true},
                        {"cosine of frames in span(B)", true},
                        {"their 95 % level", true}},
                       rows);
}

std::string LayerTable(const ct::ModelSpectra& s) {
  std::string rows;
  for (const ct::LayerSpectra& layer : s.layers) {
    rows += NamedRow(std::to_string(layer.layer), true,
                     ValueCell(layer.pr_mean) + FigureCells(layer.pr_stacked) + FigureCell(layer.strength));
  }
  return SortableTable("By layer",
                       {{"layer"},
                        {"PR, mean of its matrices", true},
                        {"PR, stacked", true},
                        {"chance", true},
                        {"95 % level", true},
                        {"p", true},
                        {"strength", true}},
                       rows);
}

std::string DepthTable(const ct::ModelSpectra& s) {
  std::string rows;
  for (const auto& [name, tau] : s.depth)
    rows += NamedRow(name, true, FigureCell(tau) + ValueCell(tau.level) + PCell(tau.p));
  return SortableTable("PR with depth: Kendall's τ, its 95 % level and its exact p",
                       {{"PR of"}, {"τ", true}, {"95 % level", true}, {"p", true}}, rows);
}

std::string MatrixTable(const ct::ModelSpectra& s, Index k) {
  std::vector<report::Column> columns = {
      {"matrix"}, {"layer", true}, {"rows", true}, {"strength", true}, {"weight PR", true}};
  for (const ScoreFigure& score : ScoreFigures()) columns.push_back({score.name, true});
  columns.push_back({"n_95", true});
  if (k == 8) columns.push_back({"label"});
  std::string rows;
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    const ct::MatrixScores& f = matrix.by_k.at(k);
    std::string cells = NumberCell(matrix.layer < 0 ? "–" : std::to_string(matrix.layer)) + CountCell(matrix.rows) +
                        FigureCell(matrix.strength) + FigureCell(matrix.weight_pr);
    for (const ScoreFigure& score : ScoreFigures()) cells += FigureCell(f.*score.figure);
    cells += CountCell(f.n95);
    if (k == 8) cells += report::Cell(CrystalLabel(f.amplitude_pr.value));
    rows += NamedRow(matrix.name, true, cells);
  }
  return SortableTable(Format("Every matrix, K = %lld", static_cast<long long>(k)), columns, rows);
}

std::string LabelTable(const ct::ModelSpectra& s) {
  auto counts = CountLabels(s);
  if (counts.empty()) return "";
  std::vector<report::Column> columns = {{"kind"}};
  for (const char* label : kCrystalLabels) columns.push_back({label, true});
  std::string rows;
  for (auto& [type, of_type] : counts) {
    std::string cells;
    for (const char* label : kCrystalLabels) cells += CountCell(of_type[label]);
    rows += NamedRow(type, true, cells);
  }
  return SortableTable("Matrices of each kind by label", columns, rows);
}

std::string LawTable(const KScaling& scaling) {
  std::string rows;
  for (const KLaw& law : scaling.laws) rows += NamedRow(law.law, true, ValueCell(law.k) + ValueCell(law.r2));
  return SortableTable("The papers' laws of K at this width", {{"law"}, {"K here", true}, {"R² there", true}}, rows);
}

std::string NeedTable(const KScaling& scaling) {
  std::string rows;
  for (const KNeeded& need : scaling.needed) {
    rows += NamedRow(Format("%.2f", need.r2), true, CountCell(need.k) + ValueCell(need.part));
  }
  return SortableTable("The least K at which the spectrum reaches an R²", {{"R²"}, {"K", true}, {"K/d", true}}, rows);
}

}  // namespace ampgrad::train
