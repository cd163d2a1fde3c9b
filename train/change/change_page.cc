// ChangeSection of change_report.h: what training changed, as a section of a page.
#include <algorithm>
#include <cmath>

#include "tensor/io/printable.h"
#include "train/change/change_report.h"
#include "train/report/format.h"
#include "train/report/html.h"

namespace ampgrad::train {
namespace {

using report::Format;
using report::NamedRow;
using report::NumberCell;

std::string PercentHtml(double part) { return std::isfinite(part) ? Format("%.2f %%", 100 * part) : "–"; }
std::string NumberHtml(double value) { return NumberCell(Format("%.4g", value)); }

std::string Shares(const WeightChange& change) {
  std::string rows;
  for (const SpanShare& share : change.shares) {
    rows += NamedRow(std::to_string(share.k), true,
                     NumberCell(PercentHtml(share.share)) + NumberCell(PercentHtml(share.random.mean)) +
                         NumberCell(PercentHtml(share.random.level)) + NumberCell(PercentHtml(share.best)));
  }
  return report::SortableTable(
      "‖ΔW·Bᵀ‖²/‖ΔW‖², all ΔW stacked",
      {{"K"}, {"inside span(B)", true}, {"K/d", true}, {"95 % level", true}, {"best subspace", true}}, rows);
}

std::vector<report::Column> SumColumns(const WeightChange& change, const char* what) {
  std::vector<report::Column> columns = {
      {what}, {"matrices", true}, {"changed", true}, {"‖ΔW‖", true}, {"of ‖W‖", true}};
  for (const Index k : change.ks) columns.push_back({"inside, K = " + std::to_string(k), true});
  return columns;
}

std::string SumRow(const WeightChange& change, const ChangeSums& sums) {
  std::string cells = NumberCell(std::to_string(sums.count)) + NumberCell(std::to_string(sums.changed)) +
                      NumberHtml(sums.Norm()) + NumberCell(PercentHtml(sums.Relative()));
  for (size_t i = 0; i < change.ks.size(); ++i) cells += NumberCell(PercentHtml(sums.Share(i)));
  return NamedRow(io::Printable(sums.name), true, cells);
}

std::string SumTable(const WeightChange& change, const char* what, const std::vector<ChangeSums>& all) {
  std::string rows;
  for (const ChangeSums& sums : all) rows += SumRow(change, sums);
  return report::SortableTable(std::string("By ") + what, SumColumns(change, what), rows);
}

std::string ChangeTable(const WeightChange& change) {
  std::string rows;
  for (const MatrixChange& matrix : change.matrices) {
    std::string cells = NumberHtml(matrix.sums.Norm()) + NumberCell(PercentHtml(matrix.sums.Relative())) +
                        NumberHtml(matrix.spectrum.effective_rank) + NumberHtml(matrix.spectrum.participation_ratio) +
                        NumberHtml(matrix.spectrum.stable_rank) + NumberCell(std::to_string(matrix.spectrum.rank));
    for (const SpanShare& share : matrix.shares) cells += NumberCell(PercentHtml(share.share));
    rows += NamedRow(io::Printable(matrix.sums.name), true, cells);
  }
  std::vector<report::Column> columns = {
      {"matrix"},   {"‖ΔW‖", true},        {"of ‖W‖", true}, {"effective rank", true},
      {"PR", true}, {"stable rank", true}, {"rank", true}};
  for (const Index k : change.ks) columns.push_back({"inside, K = " + std::to_string(k), true});
  return report::SortableTable("By matrix, those that changed", columns, rows);
}

std::string RowTable(const std::string& caption, const std::vector<RowChange>& list) {
  if (list.empty()) return "";
  std::string rows;
  for (const RowChange& row : list) {
    rows += NamedRow(io::Printable(row.matrix), true,
                     NumberCell(std::to_string(row.row)) +
                         report::Cell(report::Escape(row.token.empty() ? row.of : io::Printable(row.token))) +
                         NumberHtml(row.score_change) + NumberHtml(row.change));
  }
  return report::SortableTable(caption, {{"matrix"}, {"row", true}, {"of"}, {"‖Δs‖", true}, {"‖Δw‖", true}}, rows);
}

}  // namespace

std::string ChangeSection(const WeightChange& change) {
  const std::string explanation =
      std::to_string(change.all.changed) + " of " + std::to_string(change.all.count) + " matrices changed, by " +
      PercentHtml(change.all.Relative()) +
      " of their norm. A random K-dimensional subspace holds K/d of a change on average and less than the 95 % level "
      "in "
      "95 of 100 cases; what lies above it, the basis knew before training. The best subspace is the change's own.";
  return report::Section("What training changed", explanation,
                         Shares(change) + SumTable(change, "layer", change.layers) +
                             SumTable(change, "kind", change.kinds) + ChangeTable(change) +
                             RowTable("Rows by change of their scores", change.top_rows) +
                             RowTable("Tokens by change of their scores", change.top_tokens));
}

}  // namespace ampgrad::train
