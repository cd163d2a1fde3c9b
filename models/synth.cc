#include "models/synth.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "models/tokenizer/tokenizer.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::models {
namespace {

constexpr double kDeviation = 0.02;
constexpr double kSharedPart = 0.75;  // of the variance
constexpr Index kMaxDirections = 256;
constexpr uint64_t kDirectionStream = 0;  // followed by two streams for each tensor

struct LlamaShape {
  Index vocabulary, width, inner, layers, heads, kv_heads, context;
  int bos, eos;
};

nlohmann::json LlamaJson(const LlamaShape& s) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"attention_bias", false},
          {"bos_token_id", s.bos},
          {"eos_token_id", s.eos},
          {"hidden_act", "silu"},
          {"hidden_size", s.width},
          {"initializer_range", kDeviation},
          {"intermediate_size", s.inner},
          {"max_position_embeddings", s.context},
          {"model_type", "llama"},
          {"num_attention_heads", s.heads},
          {"num_hidden_layers", s.layers},
          {"num_key_value_heads", s.kv_heads},
          {"pretraining_tp", 1},
          {"rms_norm_eps", 1e-5},
          {"rope_scaling", nullptr},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"},
          {"transformers_version", "4.35.0"},
          {"use_cache", true},
          {"vocab_size", s.vocabulary}};
}

std::string Text(const nlohmann::json& json) { return json.dump(1) + "\n"; }

SynthModel LlamaModel(const LlamaShape& s) {
  SynthModel model{Text(LlamaJson(s)), s.width, {}};
  const Index d = s.width, kv = s.kv_heads * (s.width / s.heads);
  const auto add = [&](const std::string& name, Shape shape, SynthKind kind = SynthKind::kRows) {
    model.tensors.push_back({name + ".weight", shape, kind});
  };
  add("model.embed_tokens", {s.vocabulary, d});
  for (Index i = 0; i < s.layers; ++i) {
    const std::string block = "model.layers." + std::to_string(i) + ".";
    add(block + "input_layernorm", {d}, SynthKind::kOnes);
    add(block + "self_attn.q_proj", {d, d});
    add(block + "self_attn.k_proj", {kv, d});
    add(block + "self_attn.v_proj", {kv, d});
    add(block + "self_attn.o_proj", {d, d});
    add(block + "post_attention_layernorm", {d}, SynthKind::kOnes);
    add(block + "mlp.gate_proj", {s.inner, d});
    add(block + "mlp.up_proj", {s.inner, d});
    add(block + "mlp.down_proj", {d, s.inner}, SynthKind::kColumns);
  }
  add("model.norm", {d}, SynthKind::kOnes);
  add("lm_head", {s.vocabulary, d});
  return model;
}

// Weights are stored [in, out]; those with in = d have columns of width d.
SynthModel Gpt2() {
  constexpr Index kVocabulary = 50257, kPositions = 1024, kWidth = 768, kLayers = 12, kInner = 4 * kWidth;
  const nlohmann::json config = {{"architectures", {"GPT2LMHeadModel"}},
                                 {"activation_function", "gelu_new"},
                                 {"bos_token_id", kVocabulary - 1},
                                 {"eos_token_id", kVocabulary - 1},
                                 {"layer_norm_epsilon", 1e-5},
                                 {"model_type", "gpt2"},
                                 {"n_embd", kWidth},
                                 {"n_head", 12},
                                 {"n_layer", kLayers},
                                 {"n_positions", kPositions},
                                 {"tie_word_embeddings", true},
                                 {"torch_dtype", "bfloat16"},
                                 {"vocab_size", kVocabulary}};
  SynthModel model{Text(config), kWidth, {}};
  const auto add = [&](const std::string& name, Shape shape, SynthKind kind) {
    model.tensors.push_back({"transformer." + name, shape, kind});
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {kWidth}, SynthKind::kOnes);
    add(name + ".bias", {kWidth}, SynthKind::kZeros);
  };
  const auto linear = [&](const std::string& name, Index in, Index out) {
    add(name + ".weight", {in, out}, in == kWidth ? SynthKind::kColumns : SynthKind::kRows);
    add(name + ".bias", {out}, SynthKind::kZeros);
  };
  add("wte.weight", {kVocabulary, kWidth}, SynthKind::kRows);
  add("wpe.weight", {kPositions, kWidth}, SynthKind::kRows);
  for (Index i = 0; i < kLayers; ++i) {
    const std::string block = "h." + std::to_string(i) + ".";
    norm(block + "ln_1");
    linear(block + "attn.c_attn", kWidth, 3 * kWidth);
    linear(block + "attn.c_proj", kWidth, kWidth);
    norm(block + "ln_2");
    linear(block + "mlp.c_fc", kWidth, kInner);
    linear(block + "mlp.c_proj", kInner, kWidth);
  }
  norm("ln_f");
  return model;
}

// White noise: sums of two uniform numbers of 16 bits, four sums from each call of Philox. This takes a tenth of the
// time of normal numbers, which matters for a billion of them.
Tensor Noise(uint64_t seed, uint64_t stream, Shape shape, double deviation) {
  constexpr Index kChunk = 1 << 16;  // a multiple of four
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  const Real scale = static_cast<Real>(deviation * std::sqrt(6.0) / 65536);
  Tensor noise = Tensor::Uninitialized(shape);
  ParallelChunks(noise.size(), kChunk, [&](Index begin, Index end) {
    for (Index i = begin; i < end; i += 4) {
      const uint64_t n = static_cast<uint64_t>(i / 4);
      const auto bits = Philox({low(n), high(n), low(stream), high(stream)}, {low(seed), high(seed)});
      for (Index j = 0; j < std::min<Index>(4, end - i); ++j) {
        noise[i + j] = scale * static_cast<Real>(static_cast<int>((bits[j] & 0xFFFF) + (bits[j] >> 16)) - 65535);
      }
    }
  });
  return noise;
}

// The shared directions as rows [r, d]. The length of each is its part of the length of a weight's row.
Tensor Directions(uint64_t seed, Index d) {
  const Index r = std::min(kMaxDirections, std::max<Index>(1, d / 4));
  Tensor directions = Noise(seed, kDirectionStream, {r, d}, 1 / std::sqrt(static_cast<double>(d)));
  double total = 0;
  for (Index i = 0; i < r; ++i) total += 1.0 / static_cast<double>(1 + i);
  for (Index i = 0; i < r; ++i) {
    const double variance = kDeviation * kDeviation * static_cast<double>(d) * kSharedPart;
    const Real length = static_cast<Real>(std::sqrt(variance / total / static_cast<double>(1 + i)));
    for (Index j = 0; j < d; ++j) directions.row(i)[j] *= length;
  }
  return directions;
}

}  // namespace

Tensor SynthNumbers(const SynthModel& model, size_t index, uint64_t seed) {
  const SynthTensor& tensor = model.tensors[index];
  const uint64_t stream = kDirectionStream + 1 + 2 * index;
  if (tensor.kind == SynthKind::kOnes || tensor.kind == SynthKind::kZeros) {
    Tensor constant(tensor.shape);
    constant.Fill(tensor.kind == SynthKind::kOnes ? 1 : 0);
    return constant;
  }
  const Tensor directions = Directions(seed, model.width);
  Tensor w = Noise(seed, stream, tensor.shape, kDeviation * std::sqrt(1 - kSharedPart));
  const Index rows = w.rows(), cols = w.cols(), r = directions.rows(), d = directions.cols();
  const bool by_rows = tensor.kind == SynthKind::kRows;
  const Tensor mix = Noise(seed, stream + 1, {by_rows ? rows : cols, r}, 1);
  if (by_rows) {
    kernels::Gemm(rows, cols, r, {mix.data(), r}, {directions.data(), d}, {w.data(), cols}, w.data(), cols);
  } else {
    kernels::Gemm(rows, cols, r, {directions.data(), d, true}, {mix.data(), r, true}, {w.data(), cols}, w.data(), cols);
  }
  return w;
}

Index SynthModel::CountParameters() const {
  Index count = 0;
  for (const SynthTensor& tensor : tensors) count += tensor.shape.size();
  return count;
}

std::vector<std::string> SynthPresets() { return {"tinyllama", "llama-7b", "gpt2", "tiny"}; }

SynthModel SynthPreset(const std::string& name) {
  if (name == "tinyllama") return LlamaModel({32000, 2048, 5632, 22, 32, 4, 2048, 1, 2});
  if (name == "llama-7b") return LlamaModel({32000, 4096, 11008, 32, 32, 32, 2048, 1, 2});
  if (name == "gpt2") return Gpt2();
  constexpr int kEnd = Tokenizer::kEndOfText;
  if (name == "tiny") return LlamaModel({Tokenizer::Bytes().vocabulary(), 64, 176, 2, 4, 2, 256, kEnd, kEnd});
  throw std::invalid_argument("[synth] expected a preset tinyllama, llama-7b, gpt2 or tiny, found '" + name + "'");
}

void WriteSynthModel(const SynthModel& model, uint64_t seed, const std::filesystem::path& directory) {
  std::vector<io::TensorPlan> plans;
  std::map<std::string, size_t> index_of;
  for (const SynthTensor& tensor : model.tensors) {
    index_of[tensor.name] = plans.size();
    plans.push_back({tensor.name, StoredType::kBf16, tensor.shape});
  }
  io::SafetensorsWriter writer(directory / "model.safetensors", std::move(plans), {{"format", "pt"}});
  for (const io::TensorPlan& plan : writer.order()) writer.Write(SynthNumbers(model, index_of[plan.name], seed));
  writer.Commit();
  io::WriteFileAtomically(directory / "tokenizer.json", Text(Tokenizer::Bytes().ToJson()));
  io::WriteFileAtomically(directory / "config.json", model.config);
}

}  // namespace ampgrad::models
