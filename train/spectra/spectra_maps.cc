#include "train/spectra/spectra_maps.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "train/report/format.h"
#include "train/report/html.h"
#include "train/spectra/figure_text.h"

namespace ampgrad::train {
namespace {

using report::Escape;
using report::Format;

constexpr double kFaintest = 0.08;  // so that the least stands out from an empty cell

// The matrices of one kind by their layer.
struct KindRow {
  std::string kind;
  std::map<Index, const ct::MatrixSpectra*> by_layer;
};

// A second matrix of a kind in the same layer gets a row of its own.
std::vector<KindRow> ByKind(const ct::ModelSpectra& s) {
  std::vector<KindRow> rows;
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    auto row = std::ranges::find_if(
        rows, [&](const KindRow& r) { return r.kind == matrix.type && !r.by_layer.contains(matrix.layer); });
    if (row == rows.end()) row = rows.insert(row, {matrix.type, {}});
    row->by_layer[matrix.layer] = &matrix;
  }
  return rows;
}

// A figure that every matrix has.
struct MapFigure {
  std::string name, chance;
  std::function<const ct::Figure&(const ct::MatrixSpectra&)> of;
};

std::vector<MapFigure> MapFigures(const ct::ModelSpectra& s) {
  std::vector<MapFigure> figures = {
      {"weight PR", "the PR of rows with the same norms in random directions, which structure lowers",
       [](const ct::MatrixSpectra& matrix) -> const ct::Figure& { return matrix.weight_pr; }},
      {"strength", "1, its kind's rows dealt out at random",
       [](const ct::MatrixSpectra& matrix) -> const ct::Figure& { return matrix.strength; }}};
  for (const auto& [k, of_k] : s.by_k) {
    for (const ScoreFigure& score : ScoreFigures()) {
      const auto of = [k, &score](const ct::MatrixSpectra& matrix) -> const ct::Figure& {
        return matrix.by_k.at(k).*score.figure;
      };
      const bool there = std::ranges::any_of(
          s.matrices, [&](const ct::MatrixSpectra& matrix) { return !std::isnan(of(matrix).value); });
      if (there) figures.push_back({score.name + Format(", K = %lld", static_cast<long long>(k)), score.chance, of});
    }
  }
  return figures;
}

struct Extremes {
  const ct::MatrixSpectra *least = nullptr, *most = nullptr;
};

Extremes FindExtremes(const ct::ModelSpectra& s, const MapFigure& figure) {
  Extremes found;
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    const double value = figure.of(matrix).value;
    if (std::isnan(value)) continue;
    if (!found.least || value < figure.of(*found.least).value) found.least = &matrix;
    if (!found.most || value > figure.of(*found.most).value) found.most = &matrix;
  }
  return found;
}

std::string MapCell(const ct::MatrixSpectra* matrix, const MapFigure& figure, double least, double most) {
  if (!matrix) return "<td>–</td>";
  const ct::Figure& f = figure.of(*matrix);
  const std::string title = Escape(matrix->name + ", " + figure.name + ": " + FigureText(f));
  const double share = most > least ? (f.value - least) / (most - least) : 0;
  const double shade = kFaintest + (1 - kFaintest) * (std::isnan(share) ? 0 : share);
  return "<td class=\"heat\" style=\"--s:" + Format("%.3f", shade) + "\" title=\"" + title + "\">" +
         (f.marked ? "★" : "") + "</td>";
}

std::string MapSentence(const ct::ModelSpectra& s, const MapFigure& figure, const Extremes& extremes) {
  FigureCounts counts;
  double nulls = 0;
  int with_null = 0;
  for (const ct::MatrixSpectra& matrix : s.matrices) {
    const ct::Figure& f = figure.of(matrix);
    counts.Count(f);
    if (std::isnan(f.null)) continue;
    nulls += f.null;
    ++with_null;
  }
  std::string text = "From " + ValueText(figure.of(*extremes.least).value) + " (" + extremes.least->name +
                     ", faintest) to " + ValueText(figure.of(*extremes.most).value) + " (" + extremes.most->name +
                     ", strongest). ";
  if (counts.tested == 0) return text + "It was not tested against chance.";
  text += "Chance is " + figure.chance + (with_null > 0 ? ": " + ValueText(nulls / with_null) + " on average" : "");
  return text + Format(
                    ". Of %d matrices tested, %d lie beyond its 95 %% level, where chance alone puts about %d; %d "
                    "survive Holm's correction and bear a ★, where chance alone would leave none.",
                    counts.tested, counts.exceeding, counts.expected(), counts.marked);
}

std::string HeatMap(const ct::ModelSpectra& s, const std::vector<KindRow>& rows, const MapFigure& figure,
                    const std::string& id) {
  std::set<Index> layers;
  for (const ct::MatrixSpectra& matrix : s.matrices) layers.insert(matrix.layer);
  std::vector<report::Column> columns = {{"layer"}};
  for (const Index layer : layers) columns.push_back({layer < 0 ? "none" : std::to_string(layer)});
  const Extremes extremes = FindExtremes(s, figure);
  const double least = figure.of(*extremes.least).value, most = figure.of(*extremes.most).value;
  std::string html;
  for (const KindRow& row : rows) {
    std::string cells;
    for (const Index layer : layers) {
      const auto found = row.by_layer.find(layer);
      cells += MapCell(found == row.by_layer.end() ? nullptr : found->second, figure, least, most);
    }
    html += report::NamedRow(row.kind, true, cells);
  }
  return "<div class=\"map\" id=\"" + id + "\">\n" + report::Table(figure.name, columns, html) + "<p class=\"said\">" +
         Escape(MapSentence(s, figure, extremes)) + "</p>\n</div>\n";
}

}  // namespace

std::string HeatMaps(const ct::ModelSpectra& s) {
  const std::vector<KindRow> rows = ByKind(s);
  const std::vector<MapFigure> figures = MapFigures(s);
  std::string options, maps;
  for (size_t i = 0; i < figures.size() && !s.matrices.empty(); ++i) {
    const std::string id = "map-" + std::to_string(i);
    options += "<option value=\"" + id + "\">" + Escape(figures[i].name) + "</option>\n";
    maps += HeatMap(s, rows, figures[i], id);
  }
  if (maps.empty()) return "";
  return "<p class=\"pick\" hidden><label>figure: <select>\n" + options +
         "<option value=\"\">all, one below the other</option>\n</select></label></p>\n" + maps;
}

}  // namespace ampgrad::train
