// FormatPrediction and SizeNote of score_prediction.h: the result as text.
#include <algorithm>

#include "train/corpus/ppmi.h"
#include "train/corpus/score_prediction.h"
#include "train/report/columns.h"
#include "train/report/format.h"

namespace ampgrad::corpus {
namespace {

using report::Format;
using report::Left;
using report::Right;

constexpr size_t kNameWidth = 22, kNumberWidth = 11;

long long Long(Index n) { return static_cast<long long>(n); }

double Percent(Index part, Index whole) { return 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

std::string R2(double value) { return value > -1000 ? Format("%.4f", value) : report::Scientific(value); }

std::string TextRow(const std::string& name, const Prediction& prediction, const std::string& without_text) {
  std::string line = Left(name, kNameWidth);
  for (const std::string& cell : {R2(prediction.r2()), R2(prediction.ShuffledMean()), R2(prediction.ShuffledTop()),
                                  Format("%lld/%lld", Long(prediction.Rank()), Long(kShuffles + 1)),
                                  Format("%.3f", prediction.PValue()), without_text}) {
    line += Right(cell, kNumberWidth);
  }
  return line + "\n";
}

std::string Table(const ScorePrediction& prediction) {
  std::string text = Left("scores of", kNameWidth);
  for (const char* head : {"R²", "shuffled", "their 95 %", "rank", "p", "no text"}) text += Right(head, kNumberWidth);
  text += "\n";
  for (const LayerPrediction& layer : prediction.layers) {
    text += TextRow(Format("layer %lld", Long(layer.layer)), layer.scores, R2(layer.without_text.r2()));
  }
  if (!prediction.layers.empty()) {
    text += TextRow("all layers", prediction.all_layers.scores, R2(prediction.all_layers.without_text.r2()));
  }
  return text + TextRow("vocabulary (control)", prediction.vocabulary, "-");
}

// Whether a figure lies above 95 % of its shuffles.
bool Stands(const Prediction& prediction) { return prediction.PValue() <= 0.05; }

std::string Verdict(const ScorePrediction& prediction) {
  if (prediction.layers.empty()) return "No layer has an output projection of attention with a row for each channel.";
  std::string text =
      Stands(prediction.vocabulary)
          ? "The positive control is seen: the text predicts scores of the vocabulary better than 95 % of shuffles."
          : "The positive control is not seen: a text that does not even predict scores of the vocabulary says nothing "
            "of the layers.";
  const Index above = std::count_if(prediction.layers.begin(), prediction.layers.end(),
                                    [](const LayerPrediction& layer) { return Stands(layer.scores); });
  text +=
      Format(" %lld of %lld layers lie above 95 %% of their shuffles, where chance gives %.2f.", Long(above),
             Long(static_cast<Index>(prediction.layers.size())), 0.05 * static_cast<double>(prediction.layers.size()));
  if (!Stands(prediction.all_layers.scores)) return text + " Over all layers the text predicts no scores.";
  const bool more = prediction.all_layers.scores.r2() > prediction.all_layers.without_text.r2();
  return text + " Over all layers the features predict better than chance, " +
         (more ? "and better than the embedding without a text." : "but no better than the embedding without a text.");
}

}  // namespace

std::string SizeNote(const TextSize& text) {
  return Format(
      "With a longer text, frequencies, bigrams and PPMI change, more than the %lld of %lld ids that occur here enter "
      "the control, and so every R² but those without text may change; the scores do not, nor do the folds and "
      "shuffles of the layers.",
      Long(text.distinct_tokens), Long(text.vocabulary));
}

std::string FormatPrediction(const ScorePrediction& prediction) {
  const TextSize& size = prediction.text;
  std::string text = "Can a corpus predict the scores?\n\n";
  text += report::Wrap(Format("text: %lld tokens, %lld of %lld ids occur (%.1f %%), %lld distinct bigrams, %.1f %% of "
                              "them once",
                              Long(size.tokens), Long(size.distinct_tokens), Long(size.vocabulary),
                              Percent(size.distinct_tokens, size.vocabulary), Long(size.bigrams),
                              Percent(size.bigrams_once, size.bigrams)),
                       2) +
          "\n";
  text += report::Wrap(
              Format("layers: %lld channels x K = %lld scores of attention's output projection, from %lld features of "
                     "the text; vocabulary: %lld tokens x %lld scores, from log frequency and %lld vectors of PPMI",
                     Long(prediction.channels), Long(prediction.k), Long(prediction.features),
                     Long(size.distinct_tokens), Long(prediction.k), Long(prediction.vocabulary_features - 1)),
              2) +
          "\n\n" + Table(prediction) + "\n";
  text += report::Wrap(
              "R² is out of sample: ridge regression, five folds, penalty by inner validation; 0 is the training mean, "
              "negative is worse. shuffled: mean and 95 % quantile of R² of the same targets with rows shuffled, 199 "
              "draws. no text: the same features with every token and every pair equally frequent.",
              0) +
          "\n" + report::Wrap(Verdict(prediction), 0) + "\n" + report::Wrap(SizeNote(size), 0) + "\n";
  if (prediction.left_out > 0) {
    text += report::Wrap(Format("%lld layers are left out, as their projection is not as wide as the model.",
                                Long(prediction.left_out)),
                         0) +
            "\n";
  }
  if (!prediction.ppmi_converged) {
    text += report::Wrap("The vectors of PPMI did not converge: expected a residual of at most " +
                             report::Scientific(kSingularResidual) + ", found " +
                             report::Scientific(prediction.ppmi_residual) + ".",
                         0) +
            "\n";
  }
  return text;
}

}  // namespace ampgrad::corpus
