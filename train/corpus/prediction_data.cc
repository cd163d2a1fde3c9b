// PredictionJson of score_prediction.h: the result as data.
#include <nlohmann/json.hpp>

#include "train/corpus/score_prediction.h"

namespace ampgrad::corpus {
namespace {

using nlohmann::ordered_json;

ordered_json ToJson(const Prediction& prediction) {
  return {{"r2", prediction.r2()},
          {"shuffled_mean", prediction.ShuffledMean()},
          {"shuffled_95", prediction.ShuffledTop()},
          {"rank", prediction.Rank()},
          {"of", kShuffles + 1},
          {"p", prediction.PValue()}};
}

ordered_json ToJson(const LayerPrediction& layer) {
  ordered_json json = ToJson(layer.scores);
  json["without_text"] = layer.without_text.r2();
  return json;
}

}  // namespace

ordered_json PredictionJson(const ScorePrediction& prediction) {
  const TextSize& size = prediction.text;
  ordered_json json = {{"k", prediction.k},
                       {"channels", prediction.channels},
                       {"features", prediction.features},
                       {"text",
                        {{"tokens", size.tokens},
                         {"vocabulary", size.vocabulary},
                         {"distinct_tokens", size.distinct_tokens},
                         {"bigrams", size.bigrams},
                         {"bigrams_once", size.bigrams_once},
                         {"note", SizeNote(size)}}}};
  for (const LayerPrediction& layer : prediction.layers) json["layers"][std::to_string(layer.layer)] = ToJson(layer);
  json["layers_left_out"] = prediction.left_out;
  if (!prediction.layers.empty()) json["all_layers"] = ToJson(prediction.all_layers);
  json["vocabulary"] = ToJson(prediction.vocabulary);
  return json;
}

}  // namespace ampgrad::corpus
