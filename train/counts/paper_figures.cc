#include "train/counts/paper_figures.h"

#include <nlohmann/json.hpp>

#include "train/counts/scaling.h"
#include "train/report/columns.h"

namespace ampgrad::train {
namespace {

constexpr size_t kIndent = 6;

std::string FormatFigure(const PrintedFigure& figure) {
  const std::string indent(kIndent, ' ');
  std::string text = report::Wrap(
      report::Left(figure.paper, kIndent) + report::Left(figure.printed, 26) + "  " + figure.what, kIndent);
  text += "\n";
  const std::string sum = figure.value ? figure.formula + " = " + FormatValue(*figure.value, figure.unit)
                                       : std::string("no arithmetic leads to it");
  text += report::Wrap(indent + sum, kIndent + 2) + "\n";
  if (!figure.remark.empty()) text += report::Wrap(indent + "! " + figure.remark, kIndent + 2) + "\n";
  return text;
}

nlohmann::ordered_json ToJson(const PrintedFigure& figure) {
  nlohmann::ordered_json json = {{"paper", figure.paper}, {"printed", figure.printed}, {"what", figure.what}};
  json["formula"] = figure.formula;
  json["value"] = figure.value ? nlohmann::ordered_json(*figure.value) : nlohmann::ordered_json();
  json["denominator"] = figure.denominator;
  json["remark"] = figure.remark;
  return json;
}

nlohmann::ordered_json ToJson(const Ratio& ratio) {
  return {{"numerator", ratio.name},
          {"count", ratio.count},
          {"denominator", ratio.of_name},
          {"of", ratio.of},
          {"value", ratio.Value()}};
}

nlohmann::ordered_json ToJson(const ScalingRow& row) {
  return {{"model", row.model},
          {"k_named_by", row.source},
          {"width", row.width},
          {"k", row.k},
          {"scores_of_two_layers", row.scores_two},
          {"scores_of_all_layers", row.scores_all},
          {"ratios", {ToJson(row.trained), ToJson(row.like_for_like), ToJson(row.with_head)}}};
}

}  // namespace

std::vector<FigureGroup> PaperFigures() {
  const PaperModels models;
  return {SmallModelFigures(models), LargeModelFigures(models), CompressionFigures(models), ScalingFigures(models),
          EffectiveFigures()};
}

std::string FormatPaperFigures() {
  std::string text = "What the papers print, and the arithmetic that leads to it ('!': what is wrong or misread)\n";
  for (const FigureGroup& group : PaperFigures()) {
    text += "\n" + group.title + "\n";
    for (const PrintedFigure& figure : group.figures) text += FormatFigure(figure);
  }
  text += "\nThe rows of the scaling tables as counts; no efficiency follows from them\n";
  return text + FormatScaling(ScalingRows(PaperModels()));
}

nlohmann::ordered_json PaperFiguresJson() {
  nlohmann::ordered_json groups = nlohmann::ordered_json::array(), scaling = nlohmann::ordered_json::array();
  for (const FigureGroup& group : PaperFigures()) {
    nlohmann::ordered_json figures = nlohmann::ordered_json::array();
    for (const PrintedFigure& figure : group.figures) figures.push_back(ToJson(figure));
    groups.push_back({{"title", group.title}, {"figures", figures}});
  }
  for (const ScalingRow& row : ScalingRows(PaperModels())) scaling.push_back(ToJson(row));
  return {{"groups", groups}, {"scaling", scaling}};
}

}  // namespace ampgrad::train
