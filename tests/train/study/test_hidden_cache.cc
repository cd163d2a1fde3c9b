#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "tests/train/study/file_size_limit.h"
#include "tests/train/training.h"
#include "train/methods/method.h"
#include "train/study/hidden_cache.h"

/// Runs that share what frozen lower layers make of a batch have the bits of runs that do not.
namespace ampgrad::train {
namespace {

struct Setting {
  bool packed = false, checkpoint = false;
  Index shards = 1;
};

// Four sequences of 6 tokens, or as many rows cut unevenly; another batch for each seed.
Batch SomeBatch(uint64_t seed, bool packed = false) {
  Batch batch{6, RandomIds(24, 23, 2 * seed), RandomIds(24, 23, 2 * seed + 1)};
  if (packed) batch.borders = std::make_shared<const std::vector<Index>>(std::vector<Index>{0, 6, 8, 14, 19, 24});
  return batch;
}

Data SomeData(const Setting& setting) {
  Data data;
  data.train = [packed = setting.packed](Index step) { return SomeBatch(step, packed); };
  data.validation = {SomeBatch(100, setting.packed)};
  data.held_out = {SomeBatch(101, setting.packed), SomeBatch(102, setting.packed)};
  return data;
}

// Everything that a run gives.
struct CachedOutcome {
  std::vector<double> losses;
  std::map<std::string, std::string> bytes;

  bool operator==(const CachedOutcome&) const = default;
};

CachedOutcome Trained(models::LanguageModel& model, const Data& data, const Setting& setting) {
  model.checkpoint_blocks = setting.checkpoint;
  TrainOptions options = OptionsOf(5, 3e-2);
  options.shards = setting.shards;
  CachedOutcome outcome;
  outcome.losses.push_back(Evaluate(model, data.held_out));
  Trainer trainer(model, options);
  while (!trainer.Done()) outcome.losses.push_back(trainer.Step(data.train(trainer.step())).loss);
  outcome.losses.push_back(Evaluate(model, data.validation));
  outcome.losses.push_back(Evaluate(model, data.held_out));
  outcome.bytes = BytesOf(models::Parameters(model));
  return outcome;
}

// The last block, by every kind of method that a study compares.
std::vector<MethodSettings> StudiedMethods() {
  const Scope scope = ParseLayers("last:1", 2);
  Scope with_head = scope;
  with_head.head = true;
  return {{.method = "amplitude", .scope = scope, .k = 3, .chain = nn::Chain::kExplicit},
          {.method = "amplitude", .scope = scope, .k = 3, .chain = nn::Chain::kFactored},
          {.method = "amplitude", .scope = scope, .k = 3, .start = ct::Start::kReconstructed},
          {.method = "lora", .scope = scope, .chain = nn::Chain::kFactored, .rank = 2, .dropout = 0.3},
          {.method = "full", .scope = with_head}};
}

std::unique_ptr<models::LanguageModel> PreparedCopy(models::LanguageModel& base, const MethodSettings& method) {
  std::unique_ptr<models::LanguageModel> model = base.Clone();
  Bases bases;
  if (method.NeedsBasis()) {
    const auto sources = ct::SelectRows(base.Parts().matrices, base.width(), ct::RowsPolicy::kBlocks);
    bases = Bases(std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, method.k)));
  }
  Prepare(*model, method, bases);
  return model;
}

void ForEachBase(const std::function<void(models::LanguageModel&)>& body) {
  for (const bool half : {false, true}) {
    for (const auto& model : BothFamilies(3, /*tied=*/false)) {
      SCOPED_TRACE(model->Config().at("model_type").dump() + (half ? " as stored" : ""));
      if (half) HoldAtHalfWidth(*model);
      body(*model);
    }
  }
}

class HiddenCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<HiddenCache> MakeCache(Index bytes = 1 << 20, Index block = 2) {
    return std::make_shared<HiddenCache>(
        HiddenCache::Limits{.block = block, .bytes = bytes, .directory = directory_.path()});
  }

  TempDir directory_;
};

// All methods share one cache. The first run computes what the others find.
TEST_F(HiddenCacheTest, ChangesNoBitOfAnyRun) {
  const std::vector<Setting> settings = {
      {}, {.packed = true}, {.shards = 3}, {.packed = true, .checkpoint = true, .shards = 2}};
  ForEachBase([&](models::LanguageModel& base) {
    for (const Setting& setting : settings) {
      const Data data = SomeData(setting);
      for (const Index bytes : {1 << 20, 4000, 0}) {
        const auto cache = MakeCache(bytes);
        const Data shared = WithHidden(data, cache, cache);
        const Index once = 5 * setting.shards + 3;
        Index runs = 0;
        for (const MethodSettings& method : StudiedMethods()) {
          SCOPED_TRACE(method.Label() + ", shards " + std::to_string(setting.shards) + ", bound " +
                       std::to_string(bytes));
          const CachedOutcome alone = Trained(*PreparedCopy(base, method), data, setting);
          EXPECT_TRUE(Trained(*PreparedCopy(base, method), shared, setting) == alone);
          EXPECT_EQ(cache->computed(), once);
          EXPECT_EQ(cache->found(), ++runs * (once + 2) - once);
        }
        const Index all = 8 * 24 * 16 * static_cast<Index>(sizeof(Real));
        EXPECT_EQ(cache->bytes() + cache->spilled_bytes(), all);
        EXPECT_LE(cache->bytes(), bytes);
        EXPECT_EQ(cache->spilled_bytes() > 0, bytes < all);
        EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
      }
    }
  });
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(HiddenCacheTest, DoesNotConfuseBatches) {
  const auto model = LittleLlama(3);
  models::SetTrainable(*model, false);
  std::vector<Batch> batches(6, SomeBatch(1));
  batches[1].inputs[23] ^= 1;
  batches[2].length = 12;
  batches[3] = SomeBatch(1, true);
  batches[4] = SomeBatch(1, true);
  batches[4].borders = std::make_shared<const std::vector<Index>>(std::vector<Index>{0, 6, 12, 18, 24});
  batches[5].inputs.resize(18);
  const auto cache = MakeCache();
  for (int round = 0; round < 2; ++round) {
    for (const Batch& batch : batches) {
      const std::optional<HiddenState> found = cache->Find(*model, batch);
      ASSERT_TRUE(found);
      EXPECT_TRUE(SameBits(found->value, model->HiddenBefore(2, batch.inputs, batch.length, batch.borders)));
    }
    EXPECT_EQ(cache->computed(), 6);
    EXPECT_EQ(cache->found(), 6 * round);
  }
}

TEST_F(HiddenCacheTest, DoesNotConfuseBlocksOrWeights) {
  ForEachBase([&](models::LanguageModel& base) {
    const Batch batch = SomeBatch(1);
    const auto cache = MakeCache();
    const auto expect = [&](models::LanguageModel& model, Index block, Index computed) {
      const std::optional<HiddenState> found = cache->Find(model, batch);
      ASSERT_TRUE(found);
      EXPECT_EQ(found->block, block);
      EXPECT_TRUE(SameBits(found->value, model.HiddenBefore(block, batch.inputs, batch.length)));
      EXPECT_EQ(cache->computed(), computed);
    };
    const auto clone = [&] {
      auto copy = base.Clone();
      for (Param* param : models::Parameters(*copy)) param->trainable = false;
      return copy;
    };
    expect(*clone(), 2, 1);
    expect(*PreparedCopy(base, StudiedMethods()[0]), 1, 2);
    expect(*clone(), 2, 2);
    // A vector, and a matrix of the embedding, that are others.
    const auto vector = clone(), matrix = clone();
    vector->BlockParts(0).vectors[0]->value[0] += 1;
    expect(*vector, 2, 3);
    models::SetTrainable(*matrix, true);
    models::SetTrainable(*matrix, false);
    models::Parameters(*matrix)[0]->value[0] += 1;
    expect(*matrix, 2, 4);
    models::Parameters(*matrix)[0]->value[0] += 1;
    expect(*matrix, 2, 5);
    expect(*clone(), 2, 5);
  });
}

TEST_F(HiddenCacheTest, SharesNothingBelowAnEmbeddingThatTrains) {
  for (const bool whole : {true, false}) {
    for (const auto& base : BothFamilies(3, /*tied=*/true)) {
      Scope scope = ParseLayers("last:1", 2);
      scope.head = true;  // which is the embedding
      const MethodSettings method{.method = "full", .scope = whole ? Scope() : scope};
      const Data data = SomeData({});
      const auto cache = MakeCache();
      const CachedOutcome alone = Trained(*PreparedCopy(*base, method), data, {});
      EXPECT_TRUE(Trained(*PreparedCopy(*base, method), WithHidden(data, cache, cache), {}) == alone);
      EXPECT_EQ(cache->computed() + cache->found(), 0);
    }
  }
}

TEST_F(HiddenCacheTest, BeginsNoHigherThanItsBlock) {
  const auto model = TinyGpt(3);
  models::SetTrainable(*model, false);
  EXPECT_EQ(MakeCache(0, 1)->Find(*model, SomeBatch(1))->block, 1);
  EXPECT_FALSE(MakeCache(0, 0)->Find(*model, SomeBatch(1)));
}

// A full disk costs time only.
TEST_F(HiddenCacheTest, ComputesAnewWhatTheDiskDoesNotTake) {
  const auto model = TinyGpt(3);
  models::SetTrainable(*model, false);
  const auto cache = MakeCache(0);
  const FileSizeLimit limit(1 << 20);
  for (const uint64_t seed : {1, 2, 1, 2}) {
    const Batch batch = SomeBatch(seed);
    const std::optional<HiddenState> found = cache->Find(*model, batch);
    ASSERT_TRUE(found);
    EXPECT_TRUE(SameBits(found->value, model->HiddenBefore(2, batch.inputs, batch.length)));
  }
  EXPECT_EQ(cache->computed(), 4);
  EXPECT_EQ(cache->bytes() + cache->spilled_bytes(), 0);
}

// An update that is frozen drops what it reads all the same.
TEST_F(HiddenCacheTest, BeginsBelowAFrozenAdapter) {
  ForEachBase([&](models::LanguageModel& base) {
    const MethodSettings method{.method = "lora", .chain = nn::Chain::kFactored, .rank = 2, .dropout = 0.5};
    const auto prepared = [&] {
      auto model = PreparedCopy(base, method);
      for (nn::Matrix* matrix : model->BlockParts(0).matrices) {
        for (const nn::FormPart& part : matrix->form->Parts()) {
          part.param->trainable = false;
          part.param->value.Fill(Real(0.1));
        }
      }
      EXPECT_EQ(models::FirstTrainedBlock(*model), 1);
      return model;
    };
    const auto cache = MakeCache();
    const CachedOutcome alone = Trained(*prepared(), SomeData({}), {});
    EXPECT_TRUE(Trained(*prepared(), WithHidden(SomeData({}), cache, cache), {}) == alone);
  });
}

// Layers that are frozen in the course of a run are not those that the other runs have.
TEST_F(HiddenCacheTest, SeesWhatALayerHasLearnedBeforeItWasFrozen) {
  for (const auto& base : BothFamilies(3, /*tied=*/false)) {
    const auto run = [&](const Data& data) {
      const auto model = PreparedCopy(*base, {});
      CachedOutcome outcome = Trained(*model, data, {});
      for (Param* param : models::Parameters(*model)) param->trainable = false;
      for (Param* vector : model->BlockParts(1).vectors) vector->trainable = true;
      const CachedOutcome frozen = Trained(*model, data, {});
      outcome.losses.insert(outcome.losses.end(), frozen.losses.begin(), frozen.losses.end());
      outcome.bytes = frozen.bytes;
      return outcome;
    };
    const auto cache = MakeCache();
    const Data data = SomeData({}), shared = WithHidden(data, cache, cache);
    Trained(*PreparedCopy(*base, StudiedMethods()[4]), shared, {});
    EXPECT_EQ(cache->computed(), 8);
    EXPECT_TRUE(run(shared) == run(data));
    EXPECT_EQ(cache->computed(), 16);
  }
}

}  // namespace
}  // namespace ampgrad::train
