#include "models/gguf/gguf_config.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "models/gguf/gguf_tokenizer.h"
#include "models/rope/rope_divisors.h"

namespace ampgrad::models {
namespace {

constexpr Index kMax = (Index{1} << 31) - 1;
constexpr char kFrequencies[] = "rope_freqs.weight";

Index Extent(const GgufModel& model, const char* key) { return model.Own(key).Integer(1, kMax); }

Index VocabularyOf(const GgufModel& model) {
  const io::JsonValue tokens = model.Value("tokenizer.ggml.tokens");
  const Index listed = tokens.json().is_array() ? static_cast<Index>(tokens.json().size()) : 0;
  if (listed == 0) return Extent(model, "vocab_size");
  return model.Own("vocab_size").IntegerOr(listed, 1, kMax);
}

// A number that the file holds as a float: the decimal that was meant, 1e-05 and not 9.999999747378752e-06.
double Meant(double stored) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), static_cast<float>(stored)).ptr;
  double meant = stored;
  std::from_chars(text, end, meant);
  return meant;
}

// bos_token_id and eos_token_id; null where the file names none.
void AddSpecialTokens(const GgufModel& model, nlohmann::json& config) {
  for (const char* name : {"bos_token_id", "eos_token_id"}) {
    const int id = NamedToken(model, name);
    config[name] = id < 0 ? nlohmann::json() : nlohmann::json(id);
  }
}

// The rope_scaling whose divisors rope_freqs.weight [D/2] holds; null for ones.
nlohmann::json ScalingOfDivisors(const io::GgufReader& part, double theta, Index head_dim) {
  const Tensor divisors = part.ReadStored(kFrequencies).Widened();
  if (divisors.size() == head_dim / 2) {
    if (std::ranges::all_of(divisors, [](Real divisor) { return divisor == 1; })) return nullptr;
    if (const auto rope = RopeOfDivisors(divisors, theta)) return rope->ScalingJson();
  }
  throw std::runtime_error(part.file() + ": expected " + kFrequencies + " of shape [" + std::to_string(head_dim / 2) +
                           "] to hold the divisors of Llama-3's scaling, found others, which are not supported");
}

nlohmann::json ScalingOf(const GgufModel& model, double theta, Index head_dim) {
  // llama.cpp: llama_model_base::load_hparams. A file without a type scales linearly, and a factor of 0 is none.
  const std::string type = model.Own("rope.scaling.type").StringOr("linear");
  if (type != "none" && type != "linear") model.Own("rope.scaling.type").Fail("\"none\" or \"linear\"");
  if (model.Own("rope.scaling.attn_factor").PositiveOr(1) != 1) model.Own("rope.scaling.attn_factor").Fail("1");
  io::JsonValue stored = model.Own("rope.scaling.factor");
  if (stored.null()) stored = model.Own("rope.scale_linear");  // the key of older files
  const double given = stored.null() || stored.Number() == 0 ? 1 : stored.Positive();
  const double factor = type == "none" ? 1 : given;
  const io::GgufReader* part = model.PartWith(kFrequencies);
  const nlohmann::json llama3 = part ? ScalingOfDivisors(*part, theta, head_dim) : nlohmann::json();
  if (factor == 1) return llama3;
  if (!llama3.is_null()) stored.Fail(std::string("1 beside the divisors of ") + kFrequencies);
  return {{"rope_type", "linear"}, {"factor", factor}};
}

nlohmann::json LlamaConfigOf(const GgufModel& model) {
  if (model.Own("expert_count").IntegerOr(0, 0, kMax) != 0) {
    model.Own("expert_count").Fail("0, as mixtures of experts are not supported");
  }
  const Index width = Extent(model, "embedding_length"), heads = Extent(model, "attention.head_count");
  const Index head_dim = model.Own("attention.key_length").IntegerOr(width / heads, 1, kMax);
  for (const char* key : {"attention.value_length", "rope.dimension_count"}) {
    if (model.Own(key).IntegerOr(head_dim, 1, kMax) == head_dim) continue;
    model.Own(key).Fail(std::to_string(head_dim) + ", the size of a head");
  }
  const double theta = model.Own("rope.freq_base").PositiveOr(10000);
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"hidden_size", width},
          {"intermediate_size", Extent(model, "feed_forward_length")},
          {"num_hidden_layers", Extent(model, "block_count")},
          {"num_attention_heads", heads},
          {"num_key_value_heads", model.Own("attention.head_count_kv").IntegerOr(heads, 1, kMax)},
          {"head_dim", head_dim},
          {"max_position_embeddings", Extent(model, "context_length")},
          {"rms_norm_eps", Meant(model.Own("attention.layer_norm_rms_epsilon").Positive())},
          {"rope_theta", theta},
          {"rope_scaling", ScalingOf(model, theta, head_dim)},
          {"hidden_act", "silu"},
          {"attention_bias", model.PartWith("blk.0.attn_q.bias") != nullptr},
          {"mlp_bias", model.PartWith("blk.0.ffn_up.bias") != nullptr}};
}

nlohmann::json GptConfigOf(const GgufModel& model) {
  const Index inner = Extent(model, "feed_forward_length");
  const bool usual = inner == 4 * Extent(model, "embedding_length");
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"n_embd", Extent(model, "embedding_length")},
          {"n_inner", usual ? nlohmann::json() : nlohmann::json(inner)},
          {"n_layer", Extent(model, "block_count")},
          {"n_head", Extent(model, "attention.head_count")},
          {"n_positions", Extent(model, "context_length")},
          {"layer_norm_epsilon", Meant(model.Own("attention.layer_norm_epsilon").Positive())},
          {"activation_function", "gelu_new"}};
}

}  // namespace

nlohmann::json ConfigOf(const GgufModel& model) {
  nlohmann::json config = model.architecture() == "llama" ? LlamaConfigOf(model) : GptConfigOf(model);
  config["vocab_size"] = VocabularyOf(model);
  config["tie_word_embeddings"] = model.PartWith("output.weight") == nullptr;
  AddSpecialTokens(model, config);
  return config;
}

}  // namespace ampgrad::models
