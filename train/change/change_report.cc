#include "train/change/change_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tensor/io/printable.h"
#include "train/report/columns.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

using report::Decimal;
using report::Left;
using report::Right;
using Json = nlohmann::ordered_json;

constexpr size_t kName = 34;  // columns of a name

std::string PercentText(double part) { return report::PercentOrDash(part, 2); }

// Up to d, so with few decimals.
std::string Rank(double value) { return report::Format("%.2f", value); }

std::string NameColumn(const std::string& name) { return Left(io::Shortened(io::Printable(name), kName), kName); }

std::string Line(const std::string& first, const std::vector<std::string>& cells) {
  std::string line = first;
  for (const std::string& cell : cells) line += Right(cell, 9);
  return line + "\n";
}

// The number of the largest K.
size_t Largest(const WeightChange& change) {
  return static_cast<size_t>(std::ranges::max_element(change.ks) - change.ks.begin());
}

std::string InsideHead(const WeightChange& change) {
  return change.ks.empty() ? "-" : report::Format("K=%lld", static_cast<long long>(change.ks[Largest(change)]));
}

std::string Inside(const WeightChange& change, const ChangeSums& sums) {
  return change.ks.empty() || sums.squares == 0 ? "-" : PercentText(sums.Share(Largest(change)));
}

std::string FormatTotals(const WeightChange& change) {
  const ChangeSums &all = change.all, &outside = change.outside;
  std::string text = report::Format("what training changed: %lld of %lld matrices, ‖ΔW‖ = %s, %s of ‖W‖\n",
                                    static_cast<long long>(all.changed), static_cast<long long>(all.count),
                                    Decimal(all.Norm()).c_str(), PercentText(all.Relative()).c_str());
  text += report::Format("left out by the rows: %lld of %lld matrices and vectors changed, by %s, %s of their norm\n",
                         static_cast<long long>(outside.changed), static_cast<long long>(outside.count),
                         Decimal(outside.Norm()).c_str(), PercentText(outside.Relative()).c_str());
  if (all.squares == 0) return text;
  std::string values;
  const size_t shown = std::min<size_t>(5, change.stacked.values.size());
  for (size_t i = 0; i < shown; ++i) values += (i > 0 ? ", " : "") + Decimal(change.stacked.values[i]);
  return text + report::Format("all ΔW stacked: effective rank %s of %lld, largest σ %s\n",
                               Rank(change.stacked.effective_rank).c_str(), static_cast<long long>(change.width),
                               values.c_str());
}

std::string FormatShares(const WeightChange& change) {
  if (change.shares.empty()) return "";
  std::string text = "\n" + Line(Left("‖ΔW·Bᵀ‖²/‖ΔW‖², all ΔW stacked", kName), {"inside", "K/d", "95 %", "best"});
  for (const SpanShare& share : change.shares) {
    text += Line(Left(report::Format("K = %lld", static_cast<long long>(share.k)), kName),
                 {PercentText(share.share), PercentText(share.random.mean), PercentText(share.random.level),
                  PercentText(share.best)});
  }
  return text +
         "95 %: a random subspace holds less in 95 % of cases, by the normal approximation of its exact\n"
         "mean K/d and variance; best: the K-dimensional subspace that holds most of this change\n";
}

std::string FormatGroups(const WeightChange& change, const std::string& head, const std::vector<ChangeSums>& groups) {
  std::string text = "\n" + Line(Left(head, kName), {"matrices", "changed", "‖ΔW‖", "of ‖W‖", InsideHead(change)});
  for (const ChangeSums& sums : groups) {
    text += Line(NameColumn(sums.name), {std::to_string(sums.count), std::to_string(sums.changed), Decimal(sums.Norm()),
                                         PercentText(sums.Relative()), Inside(change, sums)});
  }
  return text;
}

// The matrices that changed most for their size, in the model's order.
std::vector<const MatrixChange*> Chosen(const WeightChange& change, size_t most) {
  std::vector<const MatrixChange*> chosen;
  for (const MatrixChange& matrix : change.matrices) chosen.push_back(&matrix);
  if (chosen.size() <= most) return chosen;
  std::ranges::stable_sort(chosen, std::greater(), [](const MatrixChange* matrix) {
    const double relative = matrix->sums.Relative();
    return std::isfinite(relative) ? relative : 0;
  });
  chosen.resize(most);
  std::ranges::sort(chosen);  // they lie in one array
  return chosen;
}

std::string FormatMatrices(const WeightChange& change, size_t most) {
  const std::vector<const MatrixChange*> chosen = Chosen(change, most);
  std::string text =
      "\n" + Line(Left("matrix", kName), {"‖ΔW‖", "of ‖W‖", "eff.rank", "PR", "stable", "rank", InsideHead(change)});
  for (const MatrixChange* matrix : chosen) {
    const ChangeSpectrum& spectrum = matrix->spectrum;
    text += Line(NameColumn(matrix->sums.name),
                 {Decimal(matrix->sums.Norm()), PercentText(matrix->sums.Relative()), Rank(spectrum.effective_rank),
                  Rank(spectrum.participation_ratio), Rank(spectrum.stable_rank), std::to_string(spectrum.rank),
                  Inside(change, matrix->sums)});
  }
  if (chosen.size() < change.matrices.size()) {
    text += report::Format("the %zu of %zu that changed most for their size\n", chosen.size(), change.matrices.size());
  }
  return text +
         "eff.rank: e to the entropy of the shares of σ²; PR: (Σσ²)²/Σσ⁴; stable: Σσ²/σ₁²;\n"
         "rank: singular values that rounding cannot explain; K=…: share of ‖ΔW‖² inside the span of B\n";
}

std::string FormatRows(const std::string& head, const std::vector<RowChange>& rows) {
  if (rows.empty()) return "";
  std::string text = "\n" + Line(Left(head, kName), {"row", "of", "‖Δs‖", "‖Δw‖"});
  for (const RowChange& row : rows) {
    std::string line =
        Line(NameColumn(row.matrix), {std::to_string(row.row), row.of, Decimal(row.score_change), Decimal(row.change)});
    line.pop_back();
    text += line + (row.token.empty() ? "" : "  '" + row.token + "'") + "\n";
  }
  return text;
}

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json SharesJson(const std::vector<SpanShare>& shares) {
  Json json = Json::array();
  for (const SpanShare& share : shares) {
    json.push_back({{"k", share.k},
                    {"share", NumberOrNull(share.share)},
                    {"random_mean", share.random.mean},
                    {"random_level_95", share.random.level},
                    {"best", share.best}});
  }
  return json;
}

Json SpectrumJson(const ChangeSpectrum& spectrum) {
  return {{"effective_rank", spectrum.effective_rank},
          {"participation_ratio", spectrum.participation_ratio},
          {"stable_rank", spectrum.stable_rank},
          {"rank", spectrum.rank},
          {"rank_floor", spectrum.floor},
          {"singular_values", spectrum.values}};
}

Json SumsJson(const ChangeSums& sums) {
  Json inside = Json::array();
  for (size_t i = 0; i < sums.inside.size(); ++i)
    inside.push_back(sums.squares > 0 ? NumberOrNull(sums.Share(i)) : nullptr);
  return {{"name", sums.name},       {"matrices", sums.count},
          {"changed", sums.changed}, {"weight_norm", std::sqrt(sums.weight_squares)},
          {"norm", sums.Norm()},     {"relative", NumberOrNull(sums.Relative())},
          {"inside", inside}};
}

Json GroupsJson(const std::vector<ChangeSums>& groups) {
  Json json = Json::array();
  for (const ChangeSums& sums : groups) json.push_back(SumsJson(sums));
  return json;
}

Json MatrixJson(const MatrixChange& matrix) {
  return {{"name", matrix.sums.name},
          {"kind", matrix.kind},
          {"layer", matrix.layer < 0 ? Json(nullptr) : Json(matrix.layer)},
          {"rows", matrix.rows},
          {"weight_norm", std::sqrt(matrix.sums.weight_squares)},
          {"norm", matrix.sums.Norm()},
          {"relative", NumberOrNull(matrix.sums.Relative())},
          {"spectrum", SpectrumJson(matrix.spectrum)},
          {"shares", SharesJson(matrix.shares)}};
}

Json RowsJson(const std::vector<RowChange>& rows) {
  Json json = Json::array();
  for (const RowChange& row : rows) {
    json.push_back({{"matrix", row.matrix},
                    {"row", row.row},
                    {"of", row.of},
                    {"score_change", row.score_change},
                    {"change", row.change},
                    {"token", row.token.empty() ? Json(nullptr) : Json(row.token)}});
  }
  return json;
}

}  // namespace

std::string FormatChange(const WeightChange& change, size_t most) {
  std::string text = FormatTotals(change);
  if (change.all.squares == 0) return text;
  text += FormatShares(change) + FormatGroups(change, "layer", change.layers) +
          FormatGroups(change, "kind of matrix", change.kinds) + FormatMatrices(change, most);
  const std::string largest = report::Format("rows by change of %lld scores", static_cast<long long>(change.k));
  return text + FormatRows(largest, change.top_rows) + FormatRows("tokens", change.top_tokens);
}

Json ChangeJson(const WeightChange& change) {
  Json matrices = Json::array();
  for (const MatrixChange& matrix : change.matrices) matrices.push_back(MatrixJson(matrix));
  return {{"width", change.width},
          {"k", change.k},
          {"ks", change.ks},
          {"all", SumsJson(change.all)},
          {"outside", SumsJson(change.outside)},
          {"stacked", SpectrumJson(change.stacked)},
          {"shares", SharesJson(change.shares)},
          {"layers", GroupsJson(change.layers)},
          {"kinds", GroupsJson(change.kinds)},
          {"matrices", matrices},
          {"top_rows", RowsJson(change.top_rows)},
          {"top_tokens", RowsJson(change.top_tokens)}};
}

}  // namespace ampgrad::train
