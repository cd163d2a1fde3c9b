#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "nn/kv_cache.h"
#include "tensor/kernels/gemm/gemm_tiles.h"
#include "tensor/kernels/kernels.h"
#include "tensor/kernels/simd/tiles.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/op_testing.h"
#include "tests/support/simd_sweep.h"
#include "tests/support/small_models.h"

namespace ampgrad {
namespace {

using Ids = std::vector<int>;

// Where many rows go through tiles, few rows are multiplied in another order. The results then differ by the roundings
// of the products below them: at most by `roundings` roundings of the largest value.
bool Within(double roundings, const Tensor& found, const Tensor& expected) {
  if (found.shape() != expected.shape()) return false;
  double largest = 0;
  for (const Real x : expected) largest = std::max<double>(largest, std::abs(x));
  const double bound = roundings * std::numeric_limits<Real>::epsilon() / 2 * largest;
  for (Index i = 0; i < expected.size(); ++i) {
    if (!(std::abs(found[i] - expected[i]) <= bound)) return false;
  }
  return true;
}

// The logits that follow each part of `ids` when it is read in parts of these lengths.
// At most 53 roundings of the largest logit were measured in these models.
void CheckParts(models::LanguageModel& model, const Ids& ids, const std::vector<Index>& parts, const Tensor& logits) {
  const Index length = static_cast<Index>(ids.size());
  const bool tiles = kernels::TilesAllowed() && kernels::TilesPay(length, length, length);
  nn::KvCache cache = model.MakeCache(model.context());
  for (const Index count : parts) {
    const auto begin = ids.begin() + cache.length;
    const Tensor next = model.NextLogits({begin, begin + count}, cache);
    const Tensor expected = logits.Rows(cache.length - 1, cache.length);
    EXPECT_TRUE(tiles ? Within(128, next, expected) : SameBits(next, expected))
        << "a part of " << count << ", up to position " << cache.length;
  }
  EXPECT_EQ(cache.length, static_cast<Index>(ids.size()));
}

// Every split of a prompt into two parts and single tokens, and every way to cut it in two, at any number of threads.
void CheckEverySplit(models::LanguageModel& model) {
  const Index length = model.context();
  const Ids ids = RandomIds(length, model.vocabulary(), 3);
  for (const int threads : {1, 2, 3}) {
    SetNumThreads(threads);
    const Tensor logits = LogitsOf(model, ids, length);
    for (Index first = 1; first <= length; ++first) {
      for (Index second = 0; first + second <= length; ++second) {
        SCOPED_TRACE(Sizes({threads, first, second}));
        std::vector<Index> parts = {first};
        if (second > 0) parts.push_back(second);
        parts.resize(parts.size() + static_cast<size_t>(length - first - second), 1);
        CheckParts(model, ids, parts, logits);
      }
    }
    SetNumThreads(0);
  }
}

TEST(KvCache, LogitsHaveTheBitsOfTheWholeSequence) {
  for (const bool tied : {true, false}) {
    for (const bool half : {false, true}) {
      for (const auto& model : BothFamilies(5, tied)) {
        if (half) HoldAtHalfWidth(*model);
        SCOPED_TRACE(model->Config().at("model_type").dump() + (half ? " at half width" : ""));
        CheckEverySplit(*model);
      }
    }
  }
}

// Biases, heads wider than their share, one group, scaled positions.
TEST(KvCache, LogitsOfAnyLlamaHaveTheBitsOfTheWholeSequence) {
  models::LlamaConfig config = LittleLlamaConfig();
  config.attention_bias = config.mlp_bias = true;
  config.head_dim = 6;
  config.num_key_value_heads = 1;
  config.rope = {models::RopeConfig::Type::kLlama3, 500, 4, 1, 4, 16};
  models::Llama model(config);
  Randomise(model, 7);
  CheckEverySplit(model);
}

// Several blocks of queries, and sums over more keys than one block of a product holds.
void CheckLongSequence(models::LanguageModel& model) {
  const Ids ids = RandomIds(300, model.vocabulary(), 4);
  ForEachSimdTarget([&] {
    for (const int threads : {1, 2, 3}) {
      SetNumThreads(threads);
      const Tensor logits = LogitsOf(model, ids, 300);
      CheckParts(model, ids, {300}, logits);
      CheckParts(model, ids, {63, 64, 65, 1, 70, 37}, logits);
      CheckParts(model, ids, {1, 130, 1, 1, 1, 166}, logits);
      CheckParts(model, ids, std::vector<Index>(300, 1), logits);
      SetNumThreads(0);
    }
  });
}

TEST(KvCache, LogitsAreThoseOfALongSequence) {
  models::GptConfig config = TinyConfig();
  config.n_positions = 300;
  config.n_embd = 64;
  models::Gpt model(config);
  Randomise(model, 7);
  CheckLongSequence(model);
}

TEST(KvCache, LogitsOfALlamaAreThoseOfALongSequence) {
  models::LlamaConfig config = LittleLlamaConfig();
  config.max_position_embeddings = 300;
  config.hidden_size = 64;
  config.intermediate_size = 172;
  for (const bool half : {false, true}) {
    models::Llama model(config);
    Randomise(model, 7);
    if (half) HoldAtHalfWidth(model);
    CheckLongSequence(model);
  }
}

// Two sequences side by side, each continued after its own keys: the rows of a late part against those of the whole.
void CheckOffsets(Index heads, Index kv_heads, Index dim, bool tiles) {
  constexpr Index kBatch = 2, kLength = 281;
  const Index q_width = heads * dim, kv_width = kv_heads * dim;
  const Tensor q = Normal({kBatch * kLength, q_width}, 0), k = Normal({kBatch * kLength, kv_width}, 1),
               v = Normal({kBatch * kLength, kv_width}, 2);
  Tensor o(q.shape()), log_sums({kBatch * kLength, heads});
  const kernels::AttentionSizes whole{kBatch, kLength, heads, kv_heads, dim, q_width, kv_width};
  kernels::CausalAttention(whole, q.data(), k.data(), v.data(), o.data(), log_sums.data());
  for (const Index offset : {1, 2, 63, 64, 65, 200, 256, 279, 280}) {
    SCOPED_TRACE(Sizes({heads, kv_heads, dim, offset}));
    const Index length = kLength - offset;
    Tensor late({kBatch * length, q_width});
    for (Index b = 0; b < kBatch; ++b) {
      std::copy_n(q.row(b * kLength + offset), length * q_width, late.row(b * length));
    }
    Tape tape;
    const Tensor y =
        ops::CausalAttention(tape.Constant(late), tape.Constant(k), tape.Constant(v), length, heads, kv_heads, offset)
            .value;
    for (Index b = 0; b < kBatch; ++b) {
      const Tensor found = y.Rows(b * length, (b + 1) * length);
      const Tensor expected = o.Rows(b * kLength + offset, (b + 1) * kLength);
      EXPECT_TRUE(tiles ? Within(24, found, expected) : SameBits(found, expected));
    }
  }
}

TEST(CausalAttention, RowsHaveTheSameBitsBehindAnyOffset) {
  ForEachSimdTarget([] {
    for (const auto& [heads, kv_heads] : {std::pair<Index, Index>{1, 1}, {4, 2}, {3, 1}}) {
      CheckOffsets(heads, kv_heads, 10, false);
    }
    // Wide heads go through tiles, blocks of few queries do not.
    CheckOffsets(2, 1, 64, kernels::TilesAllowed());
  });
}

TEST(Rotary, RowsHaveTheSameBitsBehindAnyOffset) {
  constexpr Index kLength = 40, kDim = 6;
  const Tensor x = Normal({kLength, 3 * kDim}, 0), frequencies = Tensor::FromValues({kDim / 2}, {1, 0.3, 0.07});
  Tape tape;
  const Tensor whole = ops::Rotary(tape.Constant(x), ops::MakeRotaryTable(frequencies, kLength)).value;
  for (const Index offset : {1, 15, 16, 39}) {
    const Tensor late =
        ops::Rotary(tape.Constant(x.Rows(offset, kLength)), ops::MakeRotaryTable(frequencies, kLength - offset, offset))
            .value;
    EXPECT_TRUE(SameBits(late, whole.Rows(offset, kLength))) << offset;
  }
}

TEST(KvCache, RefusesWhatDoesNotFit) {
  const auto model = TinyGpt(5);
  nn::KvCache cache = model->MakeCache(4);
  EXPECT_EQ(cache.positions(), 4);
  model->NextLogits({1, 2, 3}, cache);
  ExpectMessage<std::invalid_argument>(
      [&] {
        model->NextLogits({1, 2}, cache);
      },
      "[kv_cache] expected 1 to 1 tokens behind the 3 in the cache, found 2");
  ExpectMessage<std::invalid_argument>([&] { model->NextLogits({}, cache); },
                                       "[kv_cache] expected 1 to 1 tokens behind the 3 in the cache, found 0");
  ExpectMessage<std::invalid_argument>([&] { model->NextLogits({23}, cache); },
                                       "[embedding] expected ids in 0..22, found 23 at position 0");
  EXPECT_EQ(cache.length, 3);

  Tape tape;
  const Var wide = tape.Constant(Tensor({1, 17})), fits = tape.Constant(Tensor({1, 16}));
  ExpectMessage<std::invalid_argument>(
      [&] { nn::Remember(cache.Next(0, 1), fits, wide); },
      "[kv_cache] expected rows that fit into [4, 16] behind the first 3, found [1, 17]");
}

// What a failed call has written does not count.
TEST(KvCache, GoesOnAfterARefusal) {
  const auto model = TinyGpt(5);
  nn::KvCache cache = model->MakeCache(12), other = model->MakeCache(12);
  model->NextLogits({1, 2, 3}, cache);
  EXPECT_THROW(model->NextLogits({4, 23}, cache), std::invalid_argument);
  EXPECT_TRUE(SameBits(model->NextLogits({5}, cache), model->NextLogits({1, 2, 3, 5}, other)));
}

TEST(KvCache, RefusesGradients) {
  const auto model = TinyGpt(5);
  nn::KvCache cache = model->MakeCache(4);
  nn::GptAttention attention("attn", 16, 2);
  for (nn::Matrix* matrix : {&attention.c_attn.weight, &attention.c_proj.weight}) {
    matrix->form = std::make_unique<nn::Dense>(matrix->name, Tensor(matrix->StoredShape()), matrix->layout);
  }
  nn::Parts parts;
  attention.AddTo(parts);
  nn::MakeVectors(parts);
  Tape tape;
  ExpectMessage<std::logic_error>(
      [&] {
        attention.Forward(tape.Constant(Tensor({1, 16})), cache.Next(0, 1));
      },
      "[kv_cache] keys and values in a cache carry no gradient");
}

}  // namespace
}  // namespace ampgrad
