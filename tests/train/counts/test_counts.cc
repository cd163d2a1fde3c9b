#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ct/basis.h"
#include "tests/support/small_models.h"
#include "train/counts/counts.h"
#include "train/methods/method.h"

/// The numbers of a model and of what trains in it. Expected values are those that the papers state, or sums over the
/// models' public shapes.
namespace ampgrad::train {
namespace {

using ct::RowsPolicy;

Counts Count(const std::string& preset, RowsPolicy rows, const std::string& layers = "all") {
  const ModelShape shape = PresetShape(preset);
  return CountModel(shape, rows, ParseLayers(layers, shape.model->layers()));
}

double Value(const std::vector<Ratio>& ratios, const std::string& denominator) {
  for (const Ratio& ratio : ratios) {
    if (ratio.of_name == denominator) return ratio.Value();
  }
  ADD_FAILURE() << denominator;
  return 0;
}

// Table 3 of S72, and the parts that it adds up from.
TEST(Counts, PhotonicAsItsPaperCountsIt) {
  const Counts c = Count("photonic", RowsPolicy::kWidth);
  EXPECT_EQ(c.rows, 46'398);
  EXPECT_EQ(c.rows, 2 * 15'007 + 16'384);
  EXPECT_EQ(c.Scores(8), 371'184);
  EXPECT_EQ(c.UniqueScores(8), 251'128);
  EXPECT_EQ(c.Basis(8), 2'048);
  EXPECT_EQ(c.Mean(), 256);
  EXPECT_EQ(c.Decomposed(), 11'877'888);
  EXPECT_EQ(c.Decomposed() - c.Scores(8) - c.Basis(8), 11'504'656);
  EXPECT_EQ(c.FrozenOfStateDict(), 4'352'512);
  EXPECT_EQ(c.StateDict(), 16'230'400);
  EXPECT_EQ(c.Unique(), 10'291'456);
  EXPECT_EQ(c.Unique() - c.positions, 10'160'384);
  EXPECT_EQ(c.vocabulary + c.tied_copies, 7'683'584);
  EXPECT_EQ(c.block_numbers, 4'194'304 + 2'097'152);
  EXPECT_EQ(c.masks, 2'097'152);
  EXPECT_EQ(c.positions, 131'072);
  EXPECT_EQ(c.vectors, 106 * 256);
  EXPECT_EQ(c.Unique() + c.tied_copies, 14'133'248);
}

TEST(Counts, PhotonicWithItsDownProjections) {
  EXPECT_EQ(Count("photonic", RowsPolicy::kAll).rows, 24'576 + 15'007);  // its vocabulary once
  EXPECT_EQ(Count("photonic", RowsPolicy::kBlocks).rows, 24'576);
  const Index rows = Count("photonic", RowsPolicy::kWidth).rows + 8 * 1'024;
  EXPECT_EQ(rows, 54'590);
  EXPECT_EQ(rows * 8, 436'720);
}

TEST(Counts, SharesNameTheirDenominator) {
  const std::vector<Ratio> shares = TrainedShares(Count("photonic", RowsPolicy::kWidth), 8);
  EXPECT_NEAR(Value(shares, "state-dict elements (tied copies, masks)"), 0.0229, 5e-5);
  EXPECT_NEAR(Value(shares, "unique parameters"), 0.0361, 5e-5);
  EXPECT_NEAR(Value(shares, "unique parameters, tied scores once"), 0.0244, 5e-5);
  EXPECT_EQ(Value(shares, "the decomposed matrices"), 8 / 256.0);

  const std::vector<Ratio> tiny = TrainedShares(Count("tinyllama", RowsPolicy::kBlocks, "last:2"), 32);
  EXPECT_EQ(Value(tiny, "full SFT of these layers: their matrices"), 32 / 2048.0);
  EXPECT_NEAR(Value(tiny, "full SFT of these layers and the head"), 0.00896, 5e-6);
  EXPECT_NEAR(Value(tiny, "unique parameters"), 0.00125, 5e-6);
  EXPECT_EQ(tiny.size(), 4u);  // its state dict holds nothing else
}

TEST(Counts, CompressionNamesWhatIsLeftOut) {
  const std::vector<Ratio> ratios = Compressions(Count("photonic", RowsPolicy::kWidth), 8);
  EXPECT_EQ(Value(ratios, "their scores"), 32);
  EXPECT_NEAR(Value(ratios, "scores, basis and mean row"), 31.80, 0.005);
  EXPECT_NEAR(Value(ratios, "the whole file, counted so"), 3.43, 0.005);
}

TEST(Counts, TinyLlamaTwoLayers) {
  const Counts c = Count("tinyllama", RowsPolicy::kBlocks, "last:2");
  EXPECT_EQ(c.rows, 2 * 21'504);
  EXPECT_EQ(c.matrices, 14);
  EXPECT_EQ(c.full, 88'080'384);
  EXPECT_EQ(c.full + c.head, 153'616'384);
  const std::vector<std::pair<Index, Index>> curve = {{4, 172'032},    {8, 344'064},    {16, 688'128},
                                                      {32, 1'376'256}, {64, 2'752'512}, {128, 5'505'024}};
  for (const auto& [k, scores] : curve) EXPECT_EQ(c.Scores(k), scores) << k;
}

TEST(Counts, TinyLlamaWhole) {
  const Counts c = Count("tinyllama", RowsPolicy::kBlocks);
  EXPECT_EQ(c.Unique(), 1'100'048'384);
  EXPECT_EQ(c.StateDict(), c.Unique());
  EXPECT_EQ(c.block_numbers + c.head, 1'034'420'224);
  EXPECT_EQ(c.Scores(64), 30'277'632);
  EXPECT_EQ(c.Scores(64) + 64 * 32'000, 32'325'632);
  EXPECT_EQ(Count("tinyllama", RowsPolicy::kAll).Scores(64), 34'373'632);
  EXPECT_EQ(Count("tinyllama", RowsPolicy::kAll).matrices, 156);
  EXPECT_EQ(Count("tinyllama", RowsPolicy::kWidth, "0").rows, 21'504 - 5'632);  // down_proj has another width
  // S68 counts the rows as they are stored, whatever their width.
  const ModelShape shape = PresetShape("tinyllama");
  Index stored = 0;
  for (const nn::Matrix* matrix : shape.model->BlockParts(0).matrices) stored += matrix->StoredShape().rows();
  EXPECT_EQ(stored, 17'920);
}

TEST(Counts, Llama7b) {
  const Counts two = Count("llama-7b", RowsPolicy::kBlocks, "last:2");
  EXPECT_EQ(two.rows, 2 * 49'408);
  EXPECT_EQ(two.Scores(64), 6'324'224);
  EXPECT_NEAR(static_cast<double>(two.full + two.head) / static_cast<double>(two.Scores(64)), 84.7, 0.05);
  EXPECT_NEAR(static_cast<double>(Count("llama-7b", RowsPolicy::kBlocks).Scores(64)), 101.2e6, 0.05e6);
}

TEST(Counts, Lora) {
  const Counts photonic = Count("photonic", RowsPolicy::kBlocks);
  EXPECT_EQ(photonic.Lora(8), 262'144);
  EXPECT_EQ(photonic.Lora(8) + 8 * photonic.vocabulary_rank_cost, 506'352);
  const Counts tiny = Count("tinyllama", RowsPolicy::kBlocks, "last:2");
  EXPECT_EQ(tiny.Lora(64), 4'587'520);
  EXPECT_NEAR(static_cast<double>(tiny.Scores(64)) / static_cast<double>(tiny.rank_cost), 38.4, 0.05);
}

// What is counted without weights is what training then finds to train.
TEST(Counts, AgreesWithAPreparedModel) {
  for (const RowsPolicy policy : {RowsPolicy::kBlocks, RowsPolicy::kWidth, RowsPolicy::kAll}) {
    for (const std::string layers : {"all", "last:1"}) {
      ModelShape shape{.family = "GPT-2", .model = TinyGpt(1)};
      MethodSettings method;
      method.method = "amplitude";
      method.k = 3;
      method.rows = policy;
      method.scope = ParseLayers(layers, shape.model->layers());
      const Counts counts = CountModel(shape, policy, method.scope);
      EXPECT_EQ(counts.Unique(), models::CountParameters(*shape.model));
      const Index d = shape.model->width();
      const ct::Basis basis{Tensor({3, d}), Tensor({d}), std::vector<double>(static_cast<size_t>(d), 1.0), 0};
      Prepare(*shape.model, method, Bases(std::make_shared<const ct::Basis>(basis)));
      EXPECT_EQ(models::CountParameters(models::TrainableParameters(*shape.model)), counts.UniqueScores(3)) << layers;
    }
  }
}

}  // namespace
}  // namespace ampgrad::train
