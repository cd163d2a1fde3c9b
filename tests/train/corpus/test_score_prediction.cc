#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ct/singular.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "tests/train/corpus/corpus_testing.h"
#include "train/corpus/channel_features.h"
#include "train/corpus/score_prediction.h"
#include "train/report/columns.h"

namespace ampgrad::corpus {
namespace {

constexpr Index kWidth = 64, kVocabulary = 90, kK = 2;

// A model of two layers and 64 channels of each family.
std::vector<std::unique_ptr<models::LanguageModel>> Models() {
  models::GptConfig gpt = TinyConfig();
  gpt.n_embd = kWidth;
  gpt.vocab_size = kVocabulary;
  models::LlamaConfig llama = LittleLlamaConfig();
  llama.hidden_size = kWidth;
  llama.vocab_size = kVocabulary;
  std::vector<std::unique_ptr<models::LanguageModel>> models;
  models.push_back(std::make_unique<models::Gpt>(gpt));
  models.push_back(std::make_unique<models::Llama>(llama));
  for (const auto& model : models) Randomise(*model, 1);
  return models;
}

ct::Basis SomeBasis(Index d = kWidth) {
  return {ct::RandomOrthonormal(kK, d, 3, 0), Random(3, 1).NormalTensor({d}, 0.1), {}, 0};
}

void Set(nn::Matrix& matrix, const Tensor& weight) {
  matrix.form = std::make_unique<nn::Dense>(matrix.name, weight, matrix.layout);
}

// rows + scores·B
Tensor WithScores(Tensor rows, const Doubles& scores, const ct::Basis& basis) {
  for (Index i = 0; i < rows.rows(); ++i) {
    for (Index k = 0; k < kK; ++k) {
      for (Index j = 0; j < rows.cols(); ++j) {
        rows.row(i)[j] += static_cast<Real>(scores.row(i)[k] * basis.vectors.row(k)[j]);
      }
    }
  }
  return rows;
}

// Gives the embedding scores of log frequency, and layer 1 scores that are a linear map of the channels' features.
void Plant(models::LanguageModel& model, const ct::Basis& basis, const Bigrams& counts) {
  nn::Matrix& table = *model.Parts().matrices[0];
  Doubles logarithms(kVocabulary, kK);
  for (Index i = 0; i < kVocabulary; ++i) {
    logarithms.row(i)[1] = std::log(static_cast<double>(counts.unigrams[i]) + 0.5);
  }
  const Tensor embedding = WithScores(Random(5, 0).NormalTensor({kVocabulary, kWidth}, 0.3), logarithms, basis);
  Set(table, embedding);
  const Doubles features = ChannelFeatures(ComputeMoments(embedding, counts), basis);
  Doubles map = RandomDoubles(features.cols, kK, 6);
  const Tensor rows = WithScores(Random(5, 1).NormalTensor({kWidth, kWidth}, 0.002), Product(features, map), basis);
  for (nn::Matrix* matrix : model.BlockParts(1).matrices) {  // by its shape: the last of them that is [d, d]
    if (matrix->name.find("attn.c_proj") != std::string::npos) Set(*matrix, kernels::Transposed(rows));
    if (matrix->name.find("o_proj") != std::string::npos) Set(*matrix, rows);
  }
}

TEST(PredictScores, FindsWhatIsPlantedAndNothingElse) {
  const std::vector<int> ids = SkewedIds(6000, kVocabulary, 2);
  const ct::Basis basis = SomeBasis();
  for (const auto& model : Models()) {
    Plant(*model, basis, CountBigrams(ids, kVocabulary));
    const ScorePrediction found = PredictScores(*model, basis, ids, 1);
    ASSERT_EQ(found.layers.size(), 2u);
    EXPECT_EQ(found.left_out, 0);
    EXPECT_LT(found.layers[0].scores.r2(), 0.1);
    EXPECT_GT(found.layers[0].scores.PValue(), 0.05);
    EXPECT_EQ(found.layers[1].layer, 1);
    EXPECT_GT(found.layers[1].scores.r2(), 0.9);
    EXPECT_EQ(found.layers[1].scores.Rank(), 1);
    EXPECT_GT(found.layers[1].scores.r2(), found.layers[1].without_text.r2());
    EXPECT_GT(found.vocabulary.r2(), 0.4);
    EXPECT_EQ(found.vocabulary.Rank(), 1);
    EXPECT_TRUE(found.ppmi_converged);
    EXPECT_NEAR(found.all_layers.scores.observed.error,
                found.layers[0].scores.observed.error + found.layers[1].scores.observed.error, 1e-9);
    EXPECT_EQ(found.channels, kWidth);
    EXPECT_EQ(found.features, 3 * kK + 3);
    EXPECT_EQ(found.vocabulary_features, 1 + kK);
    EXPECT_EQ(found.text.tokens, 6000);
  }
}

TEST(PredictScores, HasTheSameBitsForAnyNumberOfThreads) {
  const std::vector<int> ids = SkewedIds(3000, kVocabulary, 2);
  const auto model = std::move(Models()[1]);
  std::vector<std::string> texts;
  std::vector<double> errors;
  for (const int threads : {1, 3}) {
    SetNumThreads(threads);
    const ScorePrediction found = PredictScores(*model, SomeBasis(), ids, 1);
    texts.push_back(FormatPrediction(found));
    for (const Prediction* p : {&found.layers[0].scores, &found.layers[1].scores, &found.vocabulary}) {
      errors.push_back(p->observed.error);
      for (const Explained& draw : p->shuffled) errors.push_back(draw.error);
    }
  }
  SetNumThreads(0);
  EXPECT_EQ(texts[0], texts[1]);
  const size_t half = errors.size() / 2;
  for (size_t i = 0; i < half; ++i) ASSERT_EQ(errors[i], errors[half + i]) << i;
}

// Queries of more numbers than the model is wide: their projection has no row of width d for each channel.
TEST(PredictScores, LeavesOutProjectionsOfAnotherWidth) {
  models::LlamaConfig config = LittleLlamaConfig();
  config.head_dim = 8;
  models::Llama model(config);
  Randomise(model, 1);
  const ScorePrediction found = PredictScores(model, SomeBasis(16), SkewedIds(500, 23, 1), 1);
  EXPECT_TRUE(found.layers.empty());
  EXPECT_EQ(found.left_out, 2);
  const std::string text = FormatPrediction(found);
  EXPECT_NE(text.find("2 layers are left out"), std::string::npos) << text;
  EXPECT_EQ(text.find("all layers"), std::string::npos) << text;
}

TEST(PredictScores, RefusesWhatDoesNotFit) {
  const auto model = TinyGpt(1);
  const std::vector<int> ids = SkewedIds(500, 23, 1);
  ExpectMessage<std::invalid_argument>([&] { PredictScores(*model, SomeBasis(12), ids, 1); },
                                       "[corpus] expected a basis of the model's width 16, found 12");
  ExpectMessage<std::invalid_argument>(
      [&] {
        PredictScores(*model, SomeBasis(16), {1, 2, 1, 3}, 1);
      },
      "[corpus] expected a text of at least 10 distinct tokens, two for each fold, found 3");
}

TEST(FormatPrediction, FitsATerminalAndSaysWhatItMeans) {
  ScorePrediction prediction{};
  const std::vector<Explained> shuffles(kShuffles, Explained{1.02, 1});
  const Prediction nothing{{1.03, 1}, shuffles}, much{{0.5, 1}, shuffles};
  prediction.text = {1234567, 32000, 20000, 300000, 200000};
  prediction.layers = {{0, nothing, {1.01, 1}}, {1, {{12345678, 1}, shuffles}, {1.01, 1}}};
  prediction.all_layers = {-1, nothing, {1.01, 1}};
  prediction.vocabulary = much;
  prediction.ppmi_residual = 2e-6;
  prediction.left_out = 1;
  std::string text = FormatPrediction(prediction);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(report::Width(line), report::kColumns) << line;
  for (const char* part :
       {"1234567 tokens", "20000 of 32000", "layer 1", "-1.2e+07", "200/200", "0.5000", "1/200", "control is seen",
        "0 of 2 layers", "predicts no scores", "did not converge", "longer text"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  prediction.vocabulary = nothing;
  prediction.all_layers.scores = much;
  prediction.ppmi_converged = true;
  text = FormatPrediction(prediction);
  for (const char* part : {"control is not seen", "better than the embedding without"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
  EXPECT_EQ(text.find("converge"), std::string::npos);
}

}  // namespace
}  // namespace ampgrad::corpus
