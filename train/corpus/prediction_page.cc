// PredictionSection of score_prediction.h: the result as a section of a page.
#include "train/corpus/score_prediction.h"
#include "train/report/format.h"
#include "train/report/html.h"

namespace ampgrad::corpus {
namespace {

using report::Format;
using report::NumberCell;

std::string PageRow(const std::string& name, const Prediction& prediction, const std::string& without_text) {
  const std::string rank = std::to_string(prediction.Rank()) + " of " + std::to_string(kShuffles + 1);
  return report::NamedRow(name, true,
                          NumberCell(Format("%.4f", prediction.r2())) +
                              NumberCell(Format("%.4f", prediction.ShuffledMean())) +
                              NumberCell(Format("%.4f", prediction.ShuffledTop())) + NumberCell(rank) +
                              NumberCell(Format("%.3f", prediction.PValue())) + NumberCell(without_text));
}

}  // namespace

std::string PredictionSection(const ScorePrediction& prediction) {
  std::string rows;
  for (const LayerPrediction& layer : prediction.layers) {
    rows += PageRow("layer " + std::to_string(layer.layer), layer.scores, Format("%.4f", layer.without_text.r2()));
  }
  if (!prediction.layers.empty()) {
    const LayerPrediction& all = prediction.all_layers;
    rows += PageRow("all layers", all.scores, Format("%.4f", all.without_text.r2()));
  }
  rows += PageRow("vocabulary (positive control)", prediction.vocabulary, "–");
  return report::Section(
      "Can a corpus predict the scores?",
      "Scores of attention's output projection, a row for each residual channel, predicted out of sample by ridge "
      "regression from " +
          std::to_string(prediction.features) + " features of a text of " + std::to_string(prediction.text.tokens) +
          " tokens. By chance R² is that of the same targets with rows "
          "shuffled; \"no text\" is that of the same features with every token and every pair equally frequent. " +
          report::Escape(SizeNote(prediction.text)),
      report::SortableTable("R² out of sample, K = " + std::to_string(prediction.k),
                            {{"scores of"},
                             {"R²", true},
                             {"shuffled, mean", true},
                             {"shuffled, 95 %", true},
                             {"rank", true},
                             {"p", true},
                             {"no text", true}},
                            rows));
}

}  // namespace ampgrad::corpus
