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

std::string Percent(double part) { return std::isfinite(part) ? Format("%.2f %%", 100 * part) : "–"; }
std::string Number(double value) { return NumberCell(Format("%.4g", value)); }

std::string Shares(const WeightChange& change) {
  std::string rows;
  for (const SpanShare& share : change.shares) {
    rows += NamedRow(std::to_string(share.k), true,
                     NumberCell(Percent(share.share)) + NumberCell(Percent(share.random.mean)) +
                         NumberCell(Percent(share.random.level)) + NumberCell(Percent(share.best)));
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
                      Number(sums.Norm()) + NumberCell(Percent(sums.Relative()));
  for (size_t i = 0; i < change.ks.size(); ++i) cells += NumberCell(Percent(sums.Share(i)));
  return NamedRow(io::Printable(sums.name), true, cells);
}

std::string SumTable(const WeightChange& change, const char* what, const std::vector<ChangeSums>& all) {
  std::string rows;
  for (const ChangeSums& sums : all) rows += SumRow(change, sums);
  return report::SortableTable(std::string("By ") + what, SumColumns(change, what), rows);
}

std::string MatrixTable(const WeightChange& change) {
  std::string rows;
  for (const MatrixChange& matrix : change.matrices) {
    std::string cells = Number(matrix.sums.Norm()) + NumberCell(Percent(matrix.sums.Relative())) +
                        Number(matrix.spectrum.effective_rank) + Number(matrix.spectrum.participation_ratio) +
                        Number(matrix.spectrum.stable_rank) + NumberCell(std::to_string(matrix.spectrum.rank));
    for (const SpanShare& share : matrix.shares) cells += NumberCell(Percent(share.share));
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
                         Number(row.score_change) + Number(row.change));
  }
  return report::SortableTable(caption, {{"matrix"}, {"row", true}, {"of"}, {"‖Δs‖", true}, {"‖Δw‖", true}}, rows);
}

}  // namespace

std::string ChangeSection(const WeightChange& change) {
  const std::string explanation =
      std::to_string(change.all.changed) + " of " + std::to_string(change.all.count) + " matrices changed, by " +
      Percent(change.all.Relative()) +
      " of their norm. A random K-dimensional subspace holds K/d of a change on average and less than the 95 % level "
      "in "
      "95 of 100 cases; what lies above it, the basis knew before training. The best subspace is the change's own.";
  return report::Section("What training changed", explanation,
                         Shares(change) + SumTable(change, "layer", change.layers) +
                             SumTable(change, "kind", change.kinds) + MatrixTable(change) +
                             RowTable("Rows by change of their scores", change.top_rows) +
                             RowTable("Tokens by change of their scores", change.top_tokens));
}

}  // namespace ampgrad::train
