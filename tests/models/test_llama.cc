#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "models/llama.h"
#include "models/rope/rope.h"
#include "tests/reference/ops.h"
#include "tests/support/op_testing.h"
#include "tests/support/small_models.h"
#include "train/methods/scope.h"

/// Llama's shape and values: counts, the whole model against scalar definitions, and what holds for any weights. Its
/// config is in test_llama_config.cc; values of other implementations are in test_golden.cc.
namespace ampgrad::models {
namespace {

// ---- Counts

LlamaConfig TinyLlama() {
  LlamaConfig config;
  config.vocab_size = 32000;
  config.hidden_size = 2048;
  config.intermediate_size = 5632;
  config.num_hidden_layers = 22;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 4;
  config.max_position_embeddings = 2048;
  config.rms_norm_eps = 1e-5;
  return config;
}

constexpr Index kLayerNumbers = 44'044'288;   // published
constexpr Index kLayerMatrices = 44'040'192;  // without its two norms of 2048
constexpr Index kTinyLlama = 1'100'048'384;   // published
constexpr Index kVocabulary = Index{32000} * 2048;

Index Numbers(const std::vector<nn::Matrix*>& matrices) {
  Index count = 0;
  for (const nn::Matrix* matrix : matrices) count += matrix->StoredShape().size();
  return count;
}

// Counts by shapes alone: no matrix exists before a file is read.
TEST(Llama, CountsTheParametersOfTinyLlama) {
  const Index before = Tensor::LiveBytes();
  Llama model(TinyLlama());
  EXPECT_LT(Tensor::LiveBytes() - before, 1 << 20);
  const nn::Parts parts = model.Parts();
  EXPECT_EQ(parts.matrices.size() + parts.vectors.size(), 201u);
  EXPECT_EQ(CountParameters(model), kTinyLlama);
  EXPECT_EQ(2 * kVocabulary + 22 * kLayerNumbers + 2048, kTinyLlama);
  for (Index i = 0; i < 22; ++i) {
    const nn::Parts block = model.BlockParts(i);
    EXPECT_EQ(Numbers(block.matrices), kLayerMatrices);
    EXPECT_EQ(CountParameters(block.vectors), kLayerNumbers - kLayerMatrices);
  }
  EXPECT_EQ(model.kv_width(), 256);
}

TEST(Llama, CountsTheMatricesOfTinyLlama) {
  Llama model(TinyLlama());
  std::map<nn::MatrixKind, int> kinds;
  for (const nn::Matrix* matrix : model.Parts().matrices) ++kinds[matrix->kind];
  EXPECT_EQ(kinds, (std::map<nn::MatrixKind, int>{{nn::MatrixKind::kBlock, 154}, {nn::MatrixKind::kVocabulary, 2}}));
  LlamaConfig tied = TinyLlama();
  tied.tie_word_embeddings = true;
  Llama tied_model(tied);
  EXPECT_EQ(CountParameters(tied_model), kTinyLlama - kVocabulary);
  EXPECT_EQ(tied_model.Parts().matrices.size(), 155u);
}

// q and o 2048, k and v 256, gate, up and down (transposed) 5632 rows of width 2048.
TEST(Llama, CountsTheRowsOfTinyLlama) {
  Llama model(TinyLlama());
  constexpr Index kRows = 2 * 2048 + 2 * 256 + 3 * 5632;
  static_assert(kRows == 21'504);
  for (Index i = 0; i < 22; ++i) {
    const auto rows = ct::SelectRows(model.BlockParts(i).matrices, model.width(), ct::RowsPolicy::kBlocks);
    EXPECT_EQ(rows.size(), 7u);
    EXPECT_EQ(ct::CountRows(rows), kRows);
  }
  const auto all = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  EXPECT_EQ(all.size(), 154u);
  EXPECT_EQ(ct::CountRows(all), 22 * kRows);
}

TEST(Llama, CountsWhatTrainsOfTinyLlama) {
  Llama model(TinyLlama());
  const train::Scope scope = train::ParseLayers("last:2", model.layers());
  const std::vector<nn::Matrix*> matrices = train::MatricesInScope(model, scope);
  EXPECT_EQ(matrices.size(), 14u);
  EXPECT_EQ(matrices.front()->name, "layers.20.self_attn.q_proj.weight");
  EXPECT_EQ(matrices.back()->name, "layers.21.mlp.down_proj.weight");
  const Index rows = ct::CountRows(ct::SelectRows(matrices, model.width(), ct::RowsPolicy::kBlocks));
  const std::map<Index, Index> scores = {{4, 172'032}, {8, 344'064}, {16, 688'128}, {32, 1'376'256}, {64, 2'752'512}};
  for (const auto& [k, expected] : scores) EXPECT_EQ(rows * k, expected);
  EXPECT_EQ(Numbers(matrices) + model.HeadMatrix().StoredShape().size(), 153'616'384);
}

TEST(Llama, CountsBiasesAndWideHeads) {
  LlamaConfig config = LittleLlamaConfig();
  config.head_dim = 6;
  config.attention_bias = true;
  config.mlp_bias = true;
  Llama model(config);
  const Index q = 4 * 6, kv = 2 * 6, d = 16, inner = 24;
  const Index attention = (q + 2 * kv) * d + q + 2 * kv + d * q + d, mlp = 2 * (inner * d + inner) + d * inner + d;
  EXPECT_EQ(CountParameters(model), 2 * 23 * d + 2 * (attention + mlp + 2 * d) + d);
  EXPECT_EQ(model.kv_width(), kv);
}

// ---- The whole model from the definitions

template <class T>
using NumbersOf = std::map<std::string, std::vector<T>>;

// Every tensor of a model by name.
template <class T>
NumbersOf<T> AllNumbers(LanguageModel& model) {
  NumbersOf<T> all;
  const nn::Parts parts = model.Parts();
  for (const nn::Matrix* matrix : parts.matrices) {
    const Tensor w = matrix->form->Merged().Widened();
    all[matrix->name].assign(w.begin(), w.end());
  }
  for (const Param* vector : parts.vectors) all[vector->name].assign(vector->value.begin(), vector->value.end());
  return all;
}

// LlamaForCausalLM, one scalar at a time.
template <class T>
std::vector<T> ReferenceLogits(const LlamaConfig& c, NumbersOf<T> w, const std::vector<int>& ids, Index length) {
  const Index n = static_cast<Index>(ids.size()), d = c.hidden_size, h = c.num_attention_heads;
  const Index g = c.num_key_value_heads, dim = c.head_dim ? c.head_dim : d / h, inner = c.intermediate_size;
  std::vector<double> frequencies;
  for (Index j = 0; j < dim / 2; ++j) {
    frequencies.push_back(std::pow(c.rope.theta, -2.0 * static_cast<double>(j) / static_cast<double>(dim)));
  }
  const auto linear = [&](const std::vector<T>& x, const std::string& name, Index in, Index out) {
    return reference::LinearOutIn(x, w.at(name + ".weight"), w[name + ".bias"], n, in, out);
  };
  const auto norm = [&](const std::vector<T>& x, const std::string& name) {
    return reference::RmsNorm(x, w.at(name + ".weight"), n, d, c.rms_norm_eps);
  };
  std::vector<T> x = reference::Embedding(w.at("embed_tokens.weight"), ids, d);
  for (Index i = 0; i < c.num_hidden_layers; ++i) {
    const std::string block = "layers." + std::to_string(i) + ".", attn = block + "self_attn.", mlp = block + "mlp.";
    std::vector<T> y = norm(x, block + "input_layernorm");
    const auto q = reference::Rotary(linear(y, attn + "q_proj", d, h * dim), frequencies, n, length, h);
    const auto k = reference::Rotary(linear(y, attn + "k_proj", d, g * dim), frequencies, n, length, g);
    const auto o = reference::CausalAttention(q, k, linear(y, attn + "v_proj", d, g * dim), n, length, h, g, dim);
    x = reference::Add(x, linear(o, attn + "o_proj", h * dim, d));
    y = norm(x, block + "post_attention_layernorm");
    const auto gate = reference::Silu(linear(y, mlp + "gate_proj", d, inner));
    const auto up = linear(y, mlp + "up_proj", d, inner);
    x = reference::Add(x, linear(reference::Mul(gate, up), mlp + "down_proj", inner, d));
  }
  const char* head = c.tie_word_embeddings ? "embed_tokens.weight" : "lm_head.weight";
  return reference::LinearOutIn(norm(x, "norm"), w.at(head), {}, n, d, c.vocab_size);
}

// Groups of one, two and all heads; heads wider than hidden/heads; with some or all biases; tied and untied.
std::vector<LlamaConfig> Variants() {
  std::vector<LlamaConfig> configs(8, LittleLlamaConfig());
  configs[1].num_key_value_heads = 4;
  configs[2].num_key_value_heads = 1;
  configs[3].head_dim = 6;
  configs[4].attention_bias = true;
  configs[5].mlp_bias = true;
  configs[6].tie_word_embeddings = true;
  configs[7].attention_bias = configs[7].mlp_bias = true;
  configs[7].rope.theta = 50;
  configs[7].rms_norm_eps = 0.1;
  configs[7].head_dim = 2;
  return configs;
}

TEST(Llama, ComputesWhatItsDefinitionsSay) {
  for (const LlamaConfig& config : Variants()) {
    Llama model(config);
    Randomise(model, 3);
    SCOPED_TRACE(model.Config().dump());
    const std::vector<int> ids = RandomIds(14, config.vocab_size, 1);
    const Tensor logits = LogitsOf(model, ids, 7);
    const std::vector<double> expected = ReferenceLogits(config, AllNumbers<double>(model), ids, 7);
    ASSERT_EQ(static_cast<size_t>(logits.size()), expected.size());
    double largest = 0;
    for (const double z : expected) largest = std::max(largest, std::abs(z));
    for (Index i = 0; i < logits.size(); ++i)
      ASSERT_LE(std::abs(logits[i] - expected[i]), 64 * kEpsilon * largest) << i;
  }
}

// The gradient of every norm and every bias, one complex step each.
TEST(Llama, GradientsOfNormsAndBiasesMatchComplexStep) {
  const LlamaConfig config = Variants()[7];
  Llama model(config);
  Randomise(model, 3);
  const std::vector<int> ids = RandomIds(10, config.vocab_size, 1), targets = RandomIds(10, config.vocab_size, 2);
  Tape tape;
  tape.Backward(MeanCrossEntropy(model.Logits(tape, ids, 5), targets));
  NumbersOf<Complex> w = AllNumbers<Complex>(model);
  constexpr double kStep = 1e-30;
  for (const Param* vector : model.Parts().vectors) {
    double difference = 0, norm = 0;
    for (Index i = 0; i < vector->value.size(); ++i) {
      Complex& x = w.at(vector->name)[i];
      x += Complex(0, kStep);
      const auto logits = ReferenceLogits(config, w, ids, 5);
      const double expected = reference::CrossEntropy(logits, targets, 10, config.vocab_size)[0].imag() / kStep;
      x = x.real();
      difference += std::pow(vector->grad[i] - expected, 2);
      norm += expected * expected;
    }
    // Up to rotation, a bias of the keys shifts all logits of a row alike, so its gradient is small.
    EXPECT_LE(std::sqrt(difference), 256 * kEpsilon * std::max(std::sqrt(norm), 1e-3)) << vector->name;
    EXPECT_GT(norm, 0) << vector->name;
  }
}

// ---- What holds for any weights

// A model without groups is the same model if the rows of k and v are repeated for each query head of their group.
TEST(Llama, GroupedHeadsAreRepeatedKeysAndValues) {
  const auto grouped = LittleLlama(6);
  LlamaConfig config = LittleLlamaConfig();
  config.num_key_value_heads = 0;  // as many as query heads
  Llama repeated(config);
  const nn::Parts from = grouped->Parts(), to = repeated.Parts();
  for (size_t i = 0; i < to.matrices.size(); ++i) {
    Tensor w = from.matrices[i]->form->Merged().Widened();
    if (to.matrices[i]->StoredShape() != w.shape()) {
      Tensor rows(to.matrices[i]->StoredShape());
      for (Index row = 0; row < rows.rows(); ++row) {
        const Index head = row / 4, of_group = head / 2;  // four columns a head, two heads a group
        std::copy_n(w.row(of_group * 4 + row % 4), w.cols(), rows.row(row));
      }
      w = rows;
    }
    to.matrices[i]->form = std::make_unique<nn::Dense>(to.matrices[i]->name, w.Clone(), to.matrices[i]->layout);
  }
  for (size_t i = 0; i < to.vectors.size(); ++i) to.vectors[i]->value = from.vectors[i]->value.Clone();
  const std::vector<int> ids = RandomIds(24, 23, 1);
  EXPECT_TRUE(SameBits(LogitsOf(repeated, ids, 12), LogitsOf(*grouped, ids, 12)));
}

// Only the rotation distinguishes different orders of the earlier tokens.
TEST(Llama, TheOrderOfTokensCounts) {
  const auto model = LittleLlama(2);
  const Tensor one = LogitsOf(*model, {3, 4, 5}, 3), other = LogitsOf(*model, {4, 3, 5}, 3);
  EXPECT_FALSE(SameBits(one.Rows(2, 3), other.Rows(2, 3)));
}

}  // namespace
}  // namespace ampgrad::models
