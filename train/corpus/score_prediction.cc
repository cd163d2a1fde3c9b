#include "train/corpus/score_prediction.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "ct/rows.h"
#include "train/corpus/channel_features.h"
#include "train/corpus/ppmi.h"

namespace ampgrad::corpus {
namespace {

Doubles Widened(const Tensor& x) {
  Doubles wide(x.rows(), x.cols());
  std::copy(x.begin(), x.end(), wide.values.begin());
  return wide;
}

nn::Matrix* Embedding(models::LanguageModel& model) {
  nn::Matrix* found = ct::FindEmbedding(model.Parts().matrices);
  if (!found) throw std::invalid_argument("[corpus] expected a model with a token embedding");
  return found;
}

// Attention's output projection in a block: attn.c_proj of a GPT, self_attn.o_proj of a Llama. Null unless it is
// [d, d].
nn::Matrix* OutputProjection(models::LanguageModel& model, Index layer) {
  for (nn::Matrix* matrix : model.BlockParts(layer).matrices) {
    const bool named = matrix->name.ends_with("attn.c_proj.weight") || matrix->name.ends_with("attn.o_proj.weight");
    if (named && matrix->in == model.width() && matrix->out == model.width()) return matrix;
  }
  return nullptr;
}

// A row for each output: of a matrix that is stored [in, out] these are its columns.
ct::RowSource Rows(nn::Matrix* matrix) { return {matrix, ops::Layout::kOutIn, matrix->out, 1}; }

void PredictLayers(models::LanguageModel& model, const ct::Basis& basis, const Bigrams& counts, uint64_t seed,
                   ScorePrediction& result) {
  const Tensor embedding = ct::ReadRows(Rows(Embedding(model)));
  const CrossValidation from_text(ChannelFeatures(ComputeMoments(embedding, counts), basis), seed);
  const CrossValidation from_embedding(ChannelFeatures(UniformMoments(embedding), basis), seed);
  result.all_layers.layer = -1;
  for (Index layer = 0; layer < model.layers(); ++layer) {
    nn::Matrix* matrix = OutputProjection(model, layer);
    if (matrix == nullptr) {
      ++result.left_out;
      continue;
    }
    const Doubles scores = Widened(ct::Scores(ct::ReadRows(Rows(matrix)), basis));
    result.layers.push_back(
        {layer, PredictWithShuffles(from_text, scores, seed), PredictInOrder(from_embedding, scores)});
    result.all_layers.scores.Add(result.layers.back().scores);
    result.all_layers.without_text.Add(result.layers.back().without_text);
  }
}

void PredictVocabulary(models::LanguageModel& model, const ct::Basis& basis, const Bigrams& counts, uint64_t seed,
                       ScorePrediction& result) {
  const std::vector<int> seen = counts.Seen();
  const LeftSingular singular = TopLeftSingular(Ppmi(counts), basis.k(), seed);
  Doubles features(static_cast<Index>(seen.size()), 1 + singular.vectors.rows);
  for (Index i = 0; i < features.rows; ++i) {
    const double frequency = static_cast<double>(counts.unigrams[seen[i]]) / static_cast<double>(counts.tokens);
    features.row(i)[0] = std::log(frequency);
    for (Index j = 0; j < singular.vectors.rows; ++j) features.row(i)[1 + j] = singular.vectors.row(j)[i];
  }
  const Tensor rows = ct::RowReader(Rows(Embedding(model))).Rows(std::vector<Index>(seen.begin(), seen.end()));
  result.vocabulary = PredictWithShuffles(CrossValidation(features, seed), Widened(ct::Scores(rows, basis)), seed);
  result.vocabulary_features = features.cols;
  result.ppmi_residual = singular.residual;
  result.ppmi_converged = singular.converged;
}

}  // namespace

TextSize SizeOf(const Bigrams& counts) {
  return {counts.tokens, static_cast<Index>(counts.unigrams.size()), static_cast<Index>(counts.Seen().size()),
          static_cast<Index>(counts.pairs.size()),
          std::count_if(counts.pairs.begin(), counts.pairs.end(), [](const Bigram& pair) { return pair.count == 1; })};
}

ScorePrediction PredictScores(models::LanguageModel& model, const ct::Basis& basis, const std::vector<int>& ids,
                              uint64_t seed) {
  const Index d = model.width();
  if (basis.width() != d) {
    throw std::invalid_argument("[corpus] expected a basis of the model's width " + std::to_string(d) + ", found " +
                                std::to_string(basis.width()));
  }
  if (d < kFewestRows) {
    throw std::invalid_argument("[corpus] expected a model of at least " + std::to_string(kFewestRows) +
                                " channels, two for each fold, found " + std::to_string(d));
  }
  const Bigrams counts = CountBigrams(ids, model.vocabulary());
  ScorePrediction result{};
  result.text = SizeOf(counts);
  if (result.text.distinct_tokens < kFewestRows) {
    throw std::invalid_argument("[corpus] expected a text of at least " + std::to_string(kFewestRows) +
                                " distinct tokens, two for each fold, found " +
                                std::to_string(result.text.distinct_tokens));
  }
  result.k = basis.k();
  result.channels = d;
  result.features = 3 * basis.k() + 3;
  PredictLayers(model, basis, counts, seed, result);
  PredictVocabulary(model, basis, counts, seed, result);
  return result;
}

}  // namespace ampgrad::corpus
