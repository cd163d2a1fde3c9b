#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "ct/amplitude.h"
#include "ct/singular.h"
#include "nn/forms/low_rank.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/change/change_report.h"
#include "train/change/weight_change.h"
#include "train/methods/method.h"

namespace ampgrad::train {
namespace {

constexpr Index kWidth = 16;
constexpr double kRounding = sizeof(Real) == 4 ? 1e-6 : 1e-14;

std::vector<ct::RowSource> Sources(models::LanguageModel& model, ct::RowsPolicy policy = ct::RowsPolicy::kBlocks) {
  return ct::SelectRows(model.Parts().matrices, model.width(), policy);
}

ct::Basis BasisOfSources(models::LanguageModel& model, Index k) { return ct::ComputeBasis(Sources(model), k); }

WeightChange Compare(models::LanguageModel& before, models::LanguageModel& after, ChangeOptions options = {}) {
  if (options.ks.empty()) options.ks = {2, 4};
  return CompareWeights(before, after, BasisOfSources(before, 4), options);
}

// Adds `change`, in the stored layout, to a matrix.
void Change(models::LanguageModel& model, const std::string& name, const Tensor& change) {
  nn::Matrix& matrix = *FindMatrix(model, name);
  Tensor weight = matrix.form->Merged().Widened().Clone();
  for (Index i = 0; i < weight.size(); ++i) weight[i] += change[i];
  matrix.form = std::make_unique<nn::Dense>(name, weight, matrix.layout);
}

// length·u·vᵀ with unit u and v.
Tensor RankOne(Shape shape, double length) {
  const Tensor u = ct::RandomOrthonormal(1, shape.rows(), 1, 1), v = ct::RandomOrthonormal(1, shape.cols(), 1, 2);
  Tensor product(shape);
  for (Index i = 0; i < shape.rows(); ++i) {
    for (Index j = 0; j < shape.cols(); ++j) product.row(i)[j] = static_cast<Real>(length * u[i] * v[j]);
  }
  return product;
}

// One matrix of each way to read rows, tall and wide, in both families.
struct Place {
  const char* name;
  const char* of;
  Index rows;
};

constexpr Place kGptPlaces[] = {{"h.0.attn.c_attn.weight", "output", 48}, {"h.1.mlp.c_proj.weight", "input", 64}};
constexpr Place kLlamaPlaces[] = {{"layers.0.self_attn.k_proj.weight", "output", 8},
                                  {"layers.1.mlp.down_proj.weight", "input", 24}};

void ExpectRankOne(models::LanguageModel& before, models::LanguageModel& after, const Place& place) {
  SCOPED_TRACE(place.name);
  nn::Matrix& matrix = *FindMatrix(after, place.name);
  Change(after, place.name, RankOne(matrix.StoredShape(), 0.5));
  const WeightChange change = Compare(before, after);
  ASSERT_EQ(change.matrices.size(), 1u);
  const MatrixChange& found = change.matrices[0];
  EXPECT_EQ(found.sums.name, place.name);
  EXPECT_EQ(found.rows, place.rows);
  EXPECT_NEAR(found.sums.Norm(), 0.5, 20 * kRounding);
  EXPECT_NEAR(found.spectrum.values[0], 0.5, 20 * kRounding);
  EXPECT_NEAR(found.spectrum.effective_rank, 1, 1e-6);
  EXPECT_NEAR(found.spectrum.participation_ratio, 1, 1e-6);
  EXPECT_EQ(found.spectrum.rank, 1);
  EXPECT_EQ(change.stacked.rank, 1);
  EXPECT_EQ(change.all.changed, 1);
  EXPECT_NEAR(change.all.Norm(), 0.5, 20 * kRounding);
  const Tensor weight = FindMatrix(before, place.name)->form->Merged().Widened();
  EXPECT_NEAR(found.sums.weight_squares / kernels::SumSquares(weight.data(), weight.size()), 1, 1e-6);
  ASSERT_FALSE(change.top_rows.empty());
  for (const RowChange& row : change.top_rows) EXPECT_EQ(row.of, place.of);
}

TEST(WeightChange, FindsAChangeOfRankOneInBothLayouts) {
  for (const Place& place : kGptPlaces) ExpectRankOne(*TinyGpt(3), *TinyGpt(3), place);
  for (const Place& place : kLlamaPlaces) ExpectRankOne(*LittleLlama(3), *LittleLlama(3), place);
}

// What rounding to 16 bits does to the rest of the matrix is no rank of the change.
TEST(WeightChange, RoundingOfTheWeightsIsNoRank) {
  const auto before = TinyGpt(3), after = TinyGpt(3);
  HoldAtHalfWidth(*before);
  Change(*after, "h.0.attn.c_attn.weight", RankOne({kWidth, 48}, 0.5));
  HoldAtHalfWidth(*after);
  const WeightChange change = Compare(*before, *after);
  ASSERT_EQ(change.matrices.size(), 1u);
  EXPECT_EQ(change.matrices[0].spectrum.rank, 1);
  EXPECT_GT(change.matrices[0].spectrum.values[1], 1e-3);
}

TEST(WeightChange, AnAmplitudeChangeLiesInsideTheSpan) {
  for (const bool llama : {false, true}) {
    const auto make = [&]() -> std::unique_ptr<models::LanguageModel> {
      if (llama) return LittleLlama(3);
      return TinyGpt(3);
    };
    const auto before = make(), after = make();
    const auto basis = std::make_shared<const ct::Basis>(BasisOfSources(*before, 4));
    ct::UseAmplitude(Sources(*after), basis, ct::Start::kExact);
    uint64_t stream = 0;
    for (const ct::RowSource& source : Sources(*after)) {
      Param& scores = source.matrix->form->Part("scores");
      scores.value = Random(9, stream++).NormalTensor(scores.value.shape(), 1);
    }
    const WeightChange change = CompareWeights(*before, *after, *basis, {.ks = {2, 4}});
    EXPECT_EQ(change.matrices.size(), Sources(*before).size());
    for (const MatrixChange& matrix : change.matrices) {
      EXPECT_NEAR(matrix.shares[1].share, 1, 10 * kRounding);
      EXPECT_LT(matrix.shares[0].share, 0.9);
      EXPECT_NEAR(matrix.shares[1].best, 1, 10 * kRounding);
      EXPECT_EQ(matrix.spectrum.rank, 4);
    }
    EXPECT_NEAR(change.shares[1].share, 1, 10 * kRounding);
    EXPECT_EQ(change.stacked.rank, 4);
    EXPECT_EQ(change.outside.changed, 0);
  }
}

// The scores of an adapter are the score changes of the report: those of the row that was moved most stand first.
TEST(WeightChange, TopRowsAreThoseWhoseScoresMovedMost) {
  const auto before = TinyGpt(3), after = TinyGpt(3);
  const auto basis = std::make_shared<const ct::Basis>(BasisOfSources(*before, 4));
  ct::UseAmplitude(Sources(*after), basis, ct::Start::kExact);
  const auto move = [&](const char* name, Index row, std::initializer_list<double> scores) {
    Index k = 0;
    for (const double s : scores) {
      FindMatrix(*after, name)->form->Part("scores").value.row(row)[k++] = static_cast<Real>(s);
    }
  };
  move("h.1.mlp.c_proj.weight", 63, {0, 3, 0, 4});
  move("h.0.attn.c_attn.weight", 40, {1, 2, 2, 0});
  move("h.0.mlp.c_fc.weight", 5, {0, 0, 1, 0});
  const WeightChange change = CompareWeights(*before, *after, *basis, {.ks = {4}, .top = 2});
  ASSERT_EQ(change.top_rows.size(), 2u);
  EXPECT_EQ(change.top_rows[0].matrix, "h.1.mlp.c_proj.weight");
  EXPECT_EQ(change.top_rows[0].row, 63);
  EXPECT_EQ(change.top_rows[0].of, "input");
  EXPECT_NEAR(change.top_rows[0].score_change, 5, 50 * kRounding);
  EXPECT_EQ(change.top_rows[1].matrix, "h.0.attn.c_attn.weight");
  EXPECT_EQ(change.top_rows[1].row, 40);
  EXPECT_EQ(change.top_rows[1].of, "output");
  EXPECT_NEAR(change.top_rows[1].score_change, 3, 50 * kRounding);
  EXPECT_NEAR(change.top_rows[1].change, 3, 50 * kRounding);
}

// A change that knows nothing of the basis: K/d on average, within the level in about 95 of 100 cases.
TEST(WeightChange, ARandomChangeHoldsItsPartOfTheSpan) {
  const auto before = TinyGpt(3);
  int above = 0;
  double sum = 0;
  constexpr int kSeeds = 100;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto after = TinyGpt(3);
    Change(*after, "h.0.mlp.c_fc.weight", Random(static_cast<uint64_t>(seed), 50).NormalTensor({kWidth, 64}, 0.1));
    const SpanShare share = Compare(*before, *after).matrices.at(0).shares[1];
    EXPECT_EQ(share.random.mean, 0.25);
    EXPECT_LT(share.random.level, 0.3);
    EXPECT_GT(share.best, share.share);
    above += share.share > share.random.level;
    sum += share.share;
  }
  EXPECT_LE(above, 12);
  EXPECT_NEAR(sum / kSeeds, 0.25, 0.01);
}

TEST(WeightChange, LayersKindsAndAllAddUp) {
  const auto before = TinyGpt(3), after = TinyGpt(3);
  Change(*after, "h.0.attn.c_attn.weight", RankOne({kWidth, 48}, 3));
  Change(*after, "h.1.attn.c_attn.weight", RankOne({kWidth, 48}, 4));
  Change(*after, "wpe.weight", RankOne({12, kWidth}, 2));
  const WeightChange change = Compare(*before, *after);
  EXPECT_EQ(change.all.count, 8);
  EXPECT_EQ(change.all.changed, 2);
  EXPECT_NEAR(change.all.Norm(), 5, 1e-5);
  ASSERT_EQ(change.layers.size(), 2u);
  EXPECT_EQ(change.layers[1].name, "1");
  EXPECT_EQ(change.layers[1].count, 4);
  EXPECT_NEAR(change.layers[1].Norm(), 4, 1e-5);
  ASSERT_EQ(change.kinds.size(), 4u);
  EXPECT_EQ(change.kinds[0].name, "attn.c_attn.weight");
  EXPECT_NEAR(change.kinds[0].Norm(), 5, 1e-5);
  EXPECT_EQ(change.kinds[1].squares, 0);
  EXPECT_EQ(change.outside.changed, 1);
  EXPECT_NEAR(change.outside.Norm(), 2, 1e-5);
  const double inside = change.matrices[0].sums.inside[1] + change.matrices[1].sums.inside[1];
  EXPECT_NEAR(change.all.inside[1], inside, 1e-12);
}

TEST(WeightChange, NothingChangedIsNoNumber) {
  const WeightChange change = Compare(*TinyGpt(3), *TinyGpt(3));
  EXPECT_EQ(change.all.count, 8);
  EXPECT_EQ(change.all.changed, 0);
  EXPECT_TRUE(change.matrices.empty());
  EXPECT_TRUE(change.shares.empty());
  EXPECT_TRUE(change.top_rows.empty());
}

TEST(WeightChange, RowsOfTheVocabularyHaveTheirTokens) {
  for (const bool tied : {true, false}) {
    const auto before = TinyGpt(3, tied), after = TinyGpt(3, tied);
    Tensor change({23, kWidth});
    for (Index j = 0; j < kWidth; ++j) change.row(10)[j] = 2, change.row(22)[j] = 1;
    Change(*after, tied ? "wte.weight" : "lm_head.weight", change);
    Change(*after, "h.0.mlp.c_fc.weight", RankOne({kWidth, 64}, 1));
    const models::Tokenizer bytes = models::Tokenizer::Bytes();
    const WeightChange found = Compare(*before, *after, {.policy = ct::RowsPolicy::kAll, .tokenizer = &bytes});
    ASSERT_EQ(found.top_tokens.size(), 2u);
    EXPECT_EQ(found.top_tokens[0].row, 10);
    EXPECT_EQ(found.top_tokens[0].of, "token");
    EXPECT_EQ(found.top_tokens[0].token, "\\x0a");
    EXPECT_EQ(found.top_tokens[1].row, 22);
    EXPECT_NEAR(found.top_tokens[1].change, 4, 1e-5);
    EXPECT_EQ(found.layers.front().name, "none");
    EXPECT_GT(found.top_rows.size(), 2u);
    EXPECT_EQ(found.all.count, tied ? 9 : 10);
  }
}

TEST(WeightChange, HasTheSameBitsForAnyNumberOfThreads) {
  const auto before = LittleLlama(3), after = LittleLlama(4);
  const std::string first = ChangeJson(Compare(*before, *after)).dump();
  for (const int threads : {1, 3}) {
    SetNumThreads(threads);
    EXPECT_EQ(ChangeJson(Compare(*before, *after)).dump(), first);
  }
  SetNumThreads(0);
}

TEST(WeightChange, RefusesModelsOfAnotherShape) {
  const auto compare = [](models::LanguageModel& after) { Compare(*TinyGpt(3), after); };
  models::GptConfig config = TinyConfig();
  config.n_positions = 13;
  models::Gpt longer(config);
  Randomise(longer, 3);
  ExpectMessage<std::runtime_error>([&] { compare(longer); },
                                    "wpe.weight: expected [12, 16] as in the model before, found [13, 16]");
  config = TinyConfig();
  config.n_layer = 3;
  models::Gpt deeper(config);
  Randomise(deeper, 3);
  ExpectMessage<std::runtime_error>(
      [&] { compare(deeper); },
      "h.0.ln_1.weight: expected [16] as in the model before, found h.2.attn.c_attn.weight in its place");
  ExpectMessage<std::runtime_error>(
      [&] { compare(*LittleLlama(3)); },
      "wte.weight: expected [23, 16] as in the model before, found embed_tokens.weight in its place");
}

TEST(WeightChange, RefusesABasisThatDoesNotFit) {
  const auto model = TinyGpt(3);
  ExpectMessage<std::invalid_argument>(
      [&] {
        Compare(*model, *model, {.ks = {2, 5}});
      },
      "[change] expected K in 1..4 (the basis), found 5");
  ct::Basis narrow = BasisOfSources(*model, 4);
  narrow.vectors = narrow.vectors.Columns(0, 8);
  ExpectMessage<std::invalid_argument>([&] { CompareWeights(*model, *model, narrow, {}); },
                                       "[change] expected a basis of the model's width 16, found one of 8");
}

TEST(WeightChange, RefusesAChangeThatIsNotFinite) {
  const auto before = TinyGpt(3), after = TinyGpt(3);
  Tensor change({kWidth, 64});
  change[5] = std::numeric_limits<Real>::quiet_NaN();
  Change(*after, "h.0.mlp.c_fc.weight", change);
  ExpectMessage<std::runtime_error>([&] { Compare(*before, *after); },
                                    "h.0.mlp.c_fc.weight: expected a finite change, found one that is not");
}

}  // namespace
}  // namespace ampgrad::train
