#include "models/llama.h"

#include <stdexcept>

#include "tensor/io/json_file.h"

namespace ampgrad::models {
namespace {

void RequireMultiple(Index value, const char* name, Index of, const char* of_name, const std::string& file) {
  if (value % of == 0) return;
  throw std::runtime_error(file + ": expected " + name + " to be a multiple of " + of_name + ", found " +
                           std::to_string(value) + " and " + std::to_string(of));
}

nn::LlamaBlockSizes BlockSizes(const LlamaConfig& c) {
  return {c.hidden_size,
          c.num_attention_heads,
          c.kv_heads(),
          c.dim(),
          c.intermediate_size,
          c.attention_bias,
          c.mlp_bias,
          static_cast<Real>(c.rms_norm_eps)};
}

}  // namespace

LlamaConfig LlamaConfig::FromJson(const nlohmann::json& json, const std::string& file) {
  const io::JsonObject object(json, file);
  const std::string activation = object.String("hidden_act", "silu");
  if (activation != "silu") {
    throw std::runtime_error(file + ": hidden_act '" + activation + "' is not supported; expected silu");
  }
  constexpr Index kMax = (Index{1} << 31) - 1;
  LlamaConfig c;
  c.vocab_size = object.Integer("vocab_size", c.vocab_size, 1, kMax);
  c.hidden_size = object.Integer("hidden_size", c.hidden_size, 1, kMax);
  c.intermediate_size = object.Integer("intermediate_size", c.intermediate_size, 1, kMax);
  c.num_hidden_layers = object.Integer("num_hidden_layers", c.num_hidden_layers, 1, 4096);
  c.num_attention_heads = object.Integer("num_attention_heads", c.num_attention_heads, 1, kMax);
  c.num_key_value_heads = object.Integer("num_key_value_heads", 0, 1, kMax);
  c.head_dim = object.Integer("head_dim", 0, 1, kMax);
  c.max_position_embeddings = object.Integer("max_position_embeddings", c.max_position_embeddings, 1, kMax);
  c.rms_norm_eps = object.Positive("rms_norm_eps", c.rms_norm_eps);
  c.rope = RopeConfig::FromJson(object, c.max_position_embeddings);
  c.attention_bias = object.Boolean("attention_bias", false);
  c.mlp_bias = object.Boolean("mlp_bias", false);
  c.tie_word_embeddings = object.Boolean("tie_word_embeddings", false);
  c.special_tokens = SpecialTokens::FromJson(object, c.vocab_size, {1, {2}});
  RequireMultiple(c.hidden_size, "hidden_size", c.num_attention_heads, "num_attention_heads", file);
  RequireMultiple(c.num_attention_heads, "num_attention_heads", c.kv_heads(), "num_key_value_heads", file);
  RequireMultiple(c.dim(), "the head dimension", 2, "2", file);
  return c;
}

Llama::Llama(const LlamaConfig& config)
    : config_(config),
      embed_tokens_("embed_tokens", nn::MatrixKind::kVocabulary, config.vocab_size, config.hidden_size),
      norm_("norm", config.hidden_size, static_cast<Real>(config.rms_norm_eps)),
      inverse_frequencies_(InverseFrequencies(config.rope, config.dim())) {
  const nn::LlamaBlockSizes sizes = BlockSizes(config);
  for (Index i = 0; i < config.num_hidden_layers; ++i) layers_.emplace_back("layers." + std::to_string(i), sizes);
  if (config.tie_word_embeddings) {
    embed_tokens_.weight.copies = 2;
  } else {
    lm_head_ = std::make_unique<nn::Embedding>("lm_head", nn::MatrixKind::kVocabulary, config.vocab_size, config.hidden_size);
  }
}

ops::RotaryTable Llama::Rotations(Index length, Index offset) const {
  return ops::MakeRotaryTable(inverse_frequencies_, length, offset);
}

Var Llama::Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>&) {
  return embed_tokens_.weight.Lookup(tape, ids);
}

Var Llama::Block(Index i, const Var& x, const nn::Sequences& sequences) { return layers_[i].Forward(x, sequences); }

Var Llama::Head(const Var& x) { return HeadMatrix().Apply(norm_.Forward(x)); }

nn::Parts Llama::BlockParts(Index i) {
  nn::Parts parts;
  layers_[i].AddTo(parts);
  return parts;
}

nn::Parts Llama::Parts() {
  nn::Parts parts;
  embed_tokens_.AddTo(parts);
  for (nn::LlamaBlock& layer : layers_) layer.AddTo(parts);
  norm_.AddTo(parts);
  if (lm_head_) lm_head_->AddTo(parts);
  return parts;
}

std::unique_ptr<LanguageModel> Llama::Clone() {
  auto copy = std::make_unique<Llama>(config_);
  nn::CopyParts(Parts(), copy->Parts());
  return copy;
}

nlohmann::json Llama::Config() const {
  nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"vocab_size", config_.vocab_size},
                           {"hidden_size", config_.hidden_size},
                           {"intermediate_size", config_.intermediate_size},
                           {"num_hidden_layers", config_.num_hidden_layers},
                           {"num_attention_heads", config_.num_attention_heads},
                           {"num_key_value_heads", config_.kv_heads()},
                           {"head_dim", config_.dim()},
                           {"max_position_embeddings", config_.max_position_embeddings},
                           {"rms_norm_eps", config_.rms_norm_eps},
                           {"rope_theta", config_.rope.theta},
                           {"rope_scaling", config_.rope.ScalingJson()},
                           {"hidden_act", "silu"},
                           {"attention_bias", config_.attention_bias},
                           {"mlp_bias", config_.mlp_bias},
                           {"tie_word_embeddings", config_.tie_word_embeddings},
                           {"torch_dtype", "float32"}};
  config_.special_tokens.AddTo(config);
  return config;
}

}  // namespace ampgrad::models
