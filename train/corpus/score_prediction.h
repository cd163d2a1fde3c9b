#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "models/language_model.h"
#include "train/corpus/bigrams.h"
#include "train/corpus/shuffle_test.h"

namespace ampgrad::corpus {

/// How much text there was.
struct TextSize {
  Index tokens;           // N
  Index vocabulary;       // V, ids of the model
  Index distinct_tokens;  // ids that occur
  Index bigrams;          // distinct pairs of neighbours
  Index bigrams_once;     // those that occur once
};
TextSize SizeOf(const Bigrams& counts);

/// Scores of one layer's output projection of attention, a row for each residual channel.
struct LayerPrediction {
  Index layer;
  Prediction scores;
  Explained without_text;  // from UniformMoments: what the embedding alone predicts
};

/// Whether a text predicts a model's scores, and whether the regression could see it if it did.
struct ScorePrediction {
  TextSize text;
  Index k;                              // scores of a row, columns of every target
  Index channels;                       // d, rows of a layer's target
  Index features;                       // 3K + 3 of a channel
  std::vector<LayerPrediction> layers;  // those whose projection is [d, d]; others have no row for each channel
  Index left_out;                       // layers whose projection is not
  LayerPrediction all_layers;           // errors and shuffles summed over `layers`; its `layer` is −1
  Prediction vocabulary;                // positive control: scores of the embedding's rows of tokens that occur
  Index vocabulary_features;            // log frequency and min(K, distinct tokens) vectors of the PPMI matrix
  double ppmi_residual;                 // of these vectors (LeftSingular)
  bool ppmi_converged;
};

/// Scores S = (W − μ)·Bᵀ of attention's output projection W [out, in] in each layer, predicted from what the text says
/// of its channels (ChannelFeatures); and those of the embedding's rows, (E − μ)·Bᵀ, from log frequency and the top K
/// left singular vectors of the text's PPMI matrix. Each has its own 199 shuffles. All draws come from `seed`; the
/// result has the same bits for any number of threads. `ids` is the text (TextIds). The embedding is held in Real
/// for the time of the call, as a copy if its matrix holds another type.
/// Throws std::invalid_argument when the basis has another width than the model, the model fewer than 10 channels, an
/// id is outside the vocabulary, or fewer than 10 distinct tokens occur.
ScorePrediction PredictScores(models::LanguageModel& model, const ct::Basis& basis, const std::vector<int>& ids,
                              uint64_t seed);

/// One sentence on what would change with a longer text, and what would not.
std::string SizeNote(const TextSize& text);

/// The result as text of at most report::kColumns columns: sizes, a row for each target, and what it means.
std::string FormatPrediction(const ScorePrediction& prediction);

/// The same as a section of a page.
std::string PredictionSection(const ScorePrediction& prediction);
/// The same as data.
nlohmann::ordered_json PredictionJson(const ScorePrediction& prediction);

}  // namespace ampgrad::corpus
