#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "models/files/safetensors_files.h"
#include "models/gpt.h"
#include "models/model_directory.h"
#include "models/synth.h"
#include "models/synth_gguf.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// Made-up models: the shapes of real ones, sane numbers, a shared basis.
namespace ampgrad::models {
namespace {

std::set<std::string> NamesOf(const SynthModel& model) {
  std::set<std::string> names;
  for (const SynthTensor& tensor : model.tensors) names.insert(tensor.name);
  return names;
}

Shape ShapeOf(const SynthModel& model, const std::string& name) {
  for (const SynthTensor& tensor : model.tensors) {
    if (tensor.name == name) return tensor.shape;
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(Synth, TinyLlamaIsTinyLlama) {
  const SynthModel model = SynthPreset("tinyllama");
  EXPECT_EQ(model.tensors.size(), 201u);
  EXPECT_EQ(NamesOf(model).size(), 201u);
  EXPECT_EQ(model.CountParameters(), 1'100'048'384);
  EXPECT_EQ(ShapeOf(model, "model.embed_tokens.weight"), Shape({32000, 2048}));
  EXPECT_EQ(ShapeOf(model, "lm_head.weight"), Shape({32000, 2048}));
  EXPECT_EQ(ShapeOf(model, "model.norm.weight"), Shape({2048}));
  const std::string block = "model.layers.21.";
  EXPECT_EQ(ShapeOf(model, block + "self_attn.q_proj.weight"), Shape({2048, 2048}));
  EXPECT_EQ(ShapeOf(model, block + "self_attn.k_proj.weight"), Shape({256, 2048}));
  EXPECT_EQ(ShapeOf(model, block + "self_attn.v_proj.weight"), Shape({256, 2048}));
  EXPECT_EQ(ShapeOf(model, block + "self_attn.o_proj.weight"), Shape({2048, 2048}));
  EXPECT_EQ(ShapeOf(model, block + "mlp.gate_proj.weight"), Shape({5632, 2048}));
  EXPECT_EQ(ShapeOf(model, block + "mlp.up_proj.weight"), Shape({5632, 2048}));
  EXPECT_EQ(ShapeOf(model, block + "mlp.down_proj.weight"), Shape({2048, 5632}));
  EXPECT_EQ(ShapeOf(model, block + "input_layernorm.weight"), Shape({2048}));
  EXPECT_EQ(ShapeOf(model, block + "post_attention_layernorm.weight"), Shape({2048}));
  EXPECT_EQ(nlohmann::json::parse(model.config),
            nlohmann::json::parse(R"({"architectures":["LlamaForCausalLM"],"attention_bias":false,
      "bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","hidden_size":2048,"initializer_range":0.02,
      "intermediate_size":5632,"max_position_embeddings":2048,"model_type":"llama","num_attention_heads":32,
      "num_hidden_layers":22,"num_key_value_heads":4,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,
      "rope_theta":10000.0,"tie_word_embeddings":false,"torch_dtype":"bfloat16","transformers_version":"4.35.0",
      "use_cache":true,"vocab_size":32000})"));
}

TEST(Synth, Gpt2IsGpt2) {
  const SynthModel model = SynthPreset("gpt2");
  EXPECT_EQ(model.tensors.size(), 148u);
  EXPECT_EQ(model.CountParameters(), 124'439'808);
  Gpt gpt(GptConfig::FromJson({nlohmann::json::parse(model.config), "config.json"}));
  const nn::Parts parts = gpt.Parts();
  for (const nn::Matrix* matrix : parts.matrices) {
    EXPECT_EQ(ShapeOf(model, "transformer." + matrix->name), matrix->StoredShape()) << matrix->name;
  }
  for (const Param* vector : parts.vectors) {
    EXPECT_EQ(ShapeOf(model, "transformer." + vector->name), vector->value.shape()) << vector->name;
  }
  EXPECT_EQ(parts.matrices.size() + parts.vectors.size(), model.tensors.size());
}

TEST(Synth, KnowsItsPresetsOnly) {
  EXPECT_EQ(MessageOf({}, [] { SynthPreset("gpt3"); }),
            "[synth] expected a preset tinyllama, llama-7b, gpt2 or tiny, found 'gpt3'");
  for (const std::string& name : SynthPresets()) EXPECT_GT(SynthPreset(name).CountParameters(), 0);
}

// The preset "tiny", written.
class Tiny {
 public:
  explicit Tiny(uint64_t seed) { WriteSynthModel(SynthPreset("tiny"), seed, directory_.path()); }
  std::filesystem::path path() const { return directory_.path(); }
  std::string bytes() const { return Get(path() / "model.safetensors"); }

 private:
  TempDir directory_;
};

TEST(Synth, WritesADirectory) {
  const Tiny tiny(1);
  EXPECT_EQ(FilesIn(tiny.path()), (std::vector<std::string>{"config.json", "model.safetensors", "tokenizer.json"}));
  EXPECT_LT(tiny.bytes().size(), 1'000'000u);
  const SynthModel model = SynthPreset("tiny");
  EXPECT_EQ(Get(tiny.path() / "config.json"), model.config);
  const SafetensorsFiles weights(tiny.path());
  EXPECT_EQ(weights.Names().size(), model.tensors.size());
  for (const SynthTensor& tensor : model.tensors) {
    EXPECT_EQ(weights.ReadStored(tensor.name).type(), StoredType::kBf16);
    EXPECT_EQ(weights.ShapeOf(tensor.name), tensor.shape);
  }
  for (const Real x : weights.ReadReal("model.norm.weight")) EXPECT_EQ(x, Real{1});
}

TEST(Synth, DependsOnTheSeedAlone) {
  const std::string one = Tiny(1).bytes();
  EXPECT_TRUE(Tiny(1).bytes() == one);
  EXPECT_FALSE(Tiny(2).bytes() == one);
  const int threads = NumThreads();
  SetNumThreads(threads == 1 ? 3 : 1);
  EXPECT_TRUE(Tiny(1).bytes() == one);
  SetNumThreads(threads);
}

// Deviations are sums over the shared directions, so they scatter with their number, 16 here.
TEST(Synth, WeightsAreSane) {
  const Tiny tiny(3);
  const SafetensorsFiles weights(tiny.path());
  for (const SynthTensor& tensor : SynthPreset("tiny").tensors) {
    if (tensor.kind == SynthKind::kOnes) continue;
    double sum = 0, squares = 0;
    const Tensor w = weights.ReadReal(tensor.name);
    for (const Real x : w) sum += x, squares += static_cast<double>(x) * x;
    const double count = static_cast<double>(w.size());
    EXPECT_NEAR(std::sqrt(squares / count), 0.02, 0.004) << tensor.name;
    EXPECT_NEAR(sum / count, 0, 0.003) << tensor.name;
  }
}

// Shared directions i = 0..15 of 64 hold 3/4 of the variance in proportion to 1/(1 + i); the rest is spread evenly.
TEST(Synth, MatricesShareADecayingSpectrum) {
  const Tiny tiny(4);
  const SafetensorsFiles weights(tiny.path());
  std::vector<std::unique_ptr<nn::Matrix>> matrices;
  std::vector<ct::RowSource> rows;
  for (const SynthTensor& tensor : SynthPreset("tiny").tensors) {
    if (tensor.kind == SynthKind::kOnes) continue;
    const bool by_rows = tensor.kind == SynthKind::kRows;
    const Tensor w = weights.ReadReal(tensor.name);
    matrices.push_back(MakeMatrix(tensor.name, ops::Layout::kOutIn, by_rows ? w : kernels::Transposed(w)));
    rows.push_back(SourceOf(*matrices.back()));
  }
  const ct::Basis basis = ct::ComputeBasis(rows, 16);
  EXPECT_NEAR(ct::VarianceCaptured(basis), 0.75 + 0.25 * 16 / 64, 0.03);
  double total = 0, harmonic = 0;
  for (const double x : basis.eigenvalues) total += x;
  for (int i = 0; i < 16; ++i) harmonic += 1.0 / (1 + i);
  for (int i = 0; i < 4; ++i) {
    const double expected = 0.75 / harmonic / (1 + i) + 0.25 / 64;
    EXPECT_NEAR(basis.eigenvalues[i] / total, expected, 0.35 * expected) << i;
  }
  EXPECT_LT(basis.eigenvalues[63], basis.eigenvalues[0] / 20);
  // One matrix alone lies in the basis of the others.
  const ct::Basis others = ct::ComputeBasis({rows.begin() + 1, rows.end()}, 16);
  EXPECT_GT(ct::RSquared({rows[0]}, others), 0.7);
}

// All matrices but the two down projections, whose rows of 176 numbers are no multiple of a block.
TEST(Synth, WritesBlocks) {
  const TempDir tiny;
  const SynthModel model = SynthPreset("tiny");
  WriteSynthGguf(model, 1, io::GgmlType::kQ8_0, tiny.path() / "model.gguf");
  const std::unique_ptr<LanguageModel> read = LoadModel(tiny.path());
  EXPECT_EQ(CountParameters(*read), model.CountParameters());
  size_t blocks = 0;
  for (const nn::Matrix* matrix : read->Parts().matrices) blocks += matrix->form->Merged().type() == StoredType::kQ8_0;
  EXPECT_EQ(blocks, read->Parts().matrices.size() - 2);
}

TEST(Synth, WritesNoGgufOfAGpt2) {
  const TempDir directory;
  EXPECT_EQ(MessageOf(directory.path(),
                      [&] { WriteSynthGguf(SynthPreset("gpt2"), 1, io::GgmlType::kQ8_0, directory.path() / "m"); }),
            "[synth] expected a Llama to write as GGUF, found \"gpt2\"");
}

}  // namespace
}  // namespace ampgrad::models
