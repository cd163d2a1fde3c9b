#include "models/llama.h"

#include <nlohmann/json.hpp>

namespace ampgrad::models {
namespace {

void RequireMultiple(Index value, const char* name, Index of, const char* of_name, const io::JsonValue& json) {
  if (value % of == 0) return;
  json.Fail(std::string(name) + " to be a multiple of " + of_name,
            std::to_string(value) + " and " + std::to_string(of));
}

nn::LlamaBlockSizes BlockSizes(const LlamaConfig& c) {
  return {c.hidden_size,       c.num_attention_heads, c.kv_heads(), c.dim(),
          c.intermediate_size, c.attention_bias,      c.mlp_bias,   static_cast<Real>(c.rms_norm_eps)};
}

}  // namespace

LlamaConfig LlamaConfig::FromJson(const io::JsonValue& json) {
  const io::JsonValue activation = json.Field("hidden_act");
  if (activation.StringOr("silu") != "silu") activation.Fail("\"silu\"");
  constexpr Index kMax = (Index{1} << 31) - 1;
  LlamaConfig c;
  c.vocab_size = json.Field("vocab_size").IntegerOr(c.vocab_size, 1, kMax);
  c.hidden_size = json.Field("hidden_size").IntegerOr(c.hidden_size, 1, kMax);
  c.intermediate_size = json.Field("intermediate_size").IntegerOr(c.intermediate_size, 1, kMax);
  c.num_hidden_layers = json.Field("num_hidden_layers").IntegerOr(c.num_hidden_layers, 1, 4096);
  c.num_attention_heads = json.Field("num_attention_heads").IntegerOr(c.num_attention_heads, 1, kMax);
  c.num_key_value_heads = json.Field("num_key_value_heads").IntegerOr(0, 1, kMax);
  c.head_dim = json.Field("head_dim").IntegerOr(0, 1, kMax);
  c.max_position_embeddings = json.Field("max_position_embeddings").IntegerOr(c.max_position_embeddings, 1, kMax);
  c.rms_norm_eps = json.Field("rms_norm_eps").PositiveOr(c.rms_norm_eps);
  c.rope = RopeConfig::FromJson(json, c.max_position_embeddings);
  c.attention_bias = json.Field("attention_bias").BooleanOr(false);
  c.mlp_bias = json.Field("mlp_bias").BooleanOr(false);
  c.tie_word_embeddings = json.Field("tie_word_embeddings").BooleanOr(false);
  c.special_tokens = SpecialTokens::FromJson(json, c.vocab_size, {1, {2}});
  if (!c.head_dim) RequireMultiple(c.hidden_size, "hidden_size", c.num_attention_heads, "num_attention_heads", json);
  RequireMultiple(c.num_attention_heads, "num_attention_heads", c.kv_heads(), "num_key_value_heads", json);
  RequireMultiple(c.dim(), "the head dimension", 2, "2", json);
  return c;
}

Llama::Llama(const LlamaConfig& config, Vectors vectors)
    : config_(config),
      embed_tokens_("embed_tokens", nn::MatrixKind::kVocabulary, config.vocab_size, config.hidden_size),
      norm_("norm", config.hidden_size, static_cast<Real>(config.rms_norm_eps)) {
  const nn::LlamaBlockSizes sizes = BlockSizes(config);
  for (Index i = 0; i < config.num_hidden_layers; ++i) layers_.emplace_back("layers." + std::to_string(i), sizes);
  if (config.tie_word_embeddings) {
    embed_tokens_.weight.copies = 2;
  } else {
    lm_head_ =
        std::make_unique<nn::Embedding>("lm_head", nn::MatrixKind::kVocabulary, config.vocab_size, config.hidden_size);
  }
  if (vectors == Vectors::kMade) nn::MakeVectors(Llama::Parts());
}

ops::RotaryTable Llama::Rotations(Index length, Index offset) const {
  return ops::MakeRotaryTable(InverseFrequencies(config_.rope, config_.dim()), length, offset);
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
  copy->checkpoint_blocks = checkpoint_blocks;
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
