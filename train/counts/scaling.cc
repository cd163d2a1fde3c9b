#include "train/counts/scaling.h"

#include <cmath>

#include "train/report/columns.h"
#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

using report::Grouped;
using report::Left;
using report::Right;

ScalingRow Row(const char* model, const Counts& two, const Counts& all, const char* source, Index k) {
  ScalingRow row{model, source, all.width, k, two.Scores(k), all.Scores(k)};
  row.trained = {"scores of all layers", "unique parameters", all.Scores(k), all.Unique()};
  row.like_for_like = {"matrices of two layers", "their scores", two.full, two.Scores(k)};
  row.with_head = {"matrices of two layers and the head", "the layers' scores", two.full + two.head, two.Scores(k)};
  return row;
}

void AddSeven(const PaperModels& models, std::vector<PrintedFigure>& figures) {
  const Counts &two = models.seven_two, &all = models.seven;
  const Index per_layer = all.rows / all.layers;
  figures.push_back(NumberFigure({"S76", "K ~ 64 at 7B", "K by the two points that were run"},
                                 "8 × (4,096 / 256)^(2/3), through K = 8 at d = 256 and 32 at 2,048",
                                 8 * std::pow(4096.0 / 256, 2.0 / 3)));
  figures.back().Remark(
      "The law printed beside it, d^0.6, gives 27.9, 97 and 147 at d = 256, 2,048 and 4,096. S78 has "
      "an optimum of ~128 here.");
  figures.push_back(CountFigure({"S76", "~35M at 7B", "scores"}, "64 × 11 layers × " + Grouped(per_layer) + " rows",
                                64 * 11 * per_layer)
                        .Remark("11 layers of 32, which the text does not say. K = 64 takes " +
                                Grouped(two.Scores(64)) + " for the last two layers and " + Grouped(all.Scores(64)) +
                                " for all."));
  figures.push_back(TimesFigure({"S76", "~200 × at 7B", "ratio of trained numbers"},
                                {"parameters, rounded", "scores, rounded", 7'000'000'000, 35'000'000})
                        .Remark("By the rule that gave 112 × (two layers and head over the layers' scores) it is "
                                "84.7 ×; like for like d/K = 64 ×."));
  PrintedFigure efficiency{"S76", "~35 % at 7B", "efficiency"};
  figures.push_back(efficiency.Remark("An efficiency follows from no count, and nothing was run at this size."));
}

void AddLaws(std::vector<PrintedFigure>& figures) {
  const struct {
    Index width;
    const char *least, *best;
  } points[] = {{256, "~4", "8"}, {2048, "16", "64+"}, {4096, "~32", "~128"}, {8192, "~64", "~256"}};
  for (const auto& [width, least, best] : points) {
    const std::string d = Grouped(width);
    figures.push_back(
        CountFigure({"S78", "K_min " + std::string(least), "least K at d = " + d}, d + " / 128", width / 128));
    if (width == 256) {
      figures.back().Remark("Its K_min/d = 0.78 % is called universal; 4/256 is 1.56 % of d.");
    }
    if (width == 2048) figures.back().Remark("S76 calls K = 32 the minimum for the same model.");
    figures.push_back(
        CountFigure({"S78", "K_opt " + std::string(best), "best K at d = " + d}, d + " / 32", width / 32));
  }
  figures.back().Remark("d = 4,096 and 8,192 are extrapolated. d/128 and d/32 are said to grow as √d; they grow as d.");
}

}  // namespace

std::vector<ScalingRow> ScalingRows(const PaperModels& m) {
  return {Row("TinyLlama", m.tiny_two, m.tiny, "S78 least", 16),
          Row("TinyLlama", m.tiny_two, m.tiny, "S76 best", 32),
          Row("TinyLlama", m.tiny_two, m.tiny, "S78 best", 64),
          Row("Llama 7B", m.seven_two, m.seven, "S78 least", 32),
          Row("Llama 7B", m.seven_two, m.seven, "S76 best", 64),
          Row("Llama 7B", m.seven_two, m.seven, "S78 best", 128),
          Row("Llama 70B", m.seventy_two, m.seventy, "S78 least", 64),
          Row("Llama 70B", m.seventy_two, m.seventy, "S78 best", 256)};
}

std::string FormatScaling(const std::vector<ScalingRow>& rows) {
  std::string text = Left("model", 10) + Right("d", 6) + Right("K", 5) + "  " + Left("K named by", 11) +
                     Right("scores of 2", 12) + Right("of all", 14) + Right("of unique", 12) + Right("layers", 10) +
                     Right("and head", 12) + "\n" + std::string(34, ' ') + Right("layers", 12) + Right("layers", 14) +
                     Right("parameters", 12) + Right("/ scores", 10) + Right("/ scores", 12) + "\n";
  for (const ScalingRow& row : rows) {
    text += Left(row.model, 10) + Right(Grouped(row.width), 6) + Right(Grouped(row.k), 5) + "  " +
            Left(row.source, 11) + Right(Grouped(row.scores_two), 12) + Right(Grouped(row.scores_all), 14) +
            Right(report::Percent(row.trained.Value()), 12) + Right(report::Times(row.like_for_like.Value()), 10) +
            Right(report::Times(row.with_head.Value()), 12) + "\n";
  }
  return text;
}

FigureGroup ScalingFigures(const PaperModels& models) {
  FigureGroup group{"7B and 70B, which were not run: S76, S78", {}};
  AddSeven(models, group.figures);
  AddLaws(group.figures);
  return group;
}

}  // namespace ampgrad::train
