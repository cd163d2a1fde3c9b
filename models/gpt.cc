#include "models/gpt.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "nn/forms/dense.h"
#include "tensor/random.h"

namespace ampgrad::models {

GptConfig GptConfig::FromJson(const io::JsonValue& json) {
  json.Field("scale_attn_weights").RefuseUnless(true);
  json.Field("scale_attn_by_inverse_layer_idx").RefuseUnless(false);
  json.Field("add_cross_attention").RefuseUnless(false);
  const io::JsonValue activation = json.Field("activation_function");
  const std::string name = activation.StringOr("gelu_new");
  if (name != "gelu_new" && name != "gelu_pytorch_tanh") activation.Fail("\"gelu_new\"");
  constexpr Index kMax = (Index{1} << 31) - 1;
  // Some fields have either of two names in GPT-2 files.
  const auto extent = [&](const char* key, const char* alias, Index fallback, Index max) {
    return json.Field(key).IntegerOr(json.Field(alias).IntegerOr(fallback, 1, max), 1, max);
  };
  GptConfig config;
  config.vocab_size = json.Field("vocab_size").IntegerOr(config.vocab_size, 1, kMax);
  config.n_positions = extent("n_positions", "max_position_embeddings", config.n_positions, kMax);
  config.n_embd = extent("n_embd", "hidden_size", config.n_embd, kMax);
  config.n_layer = extent("n_layer", "num_hidden_layers", config.n_layer, 4096);
  config.n_head = extent("n_head", "num_attention_heads", config.n_head, kMax);
  config.n_inner = json.Field("n_inner").IntegerOr(config.n_inner, 1, kMax);
  config.layer_norm_epsilon = json.Field("layer_norm_epsilon").PositiveOr(config.layer_norm_epsilon);
  config.tie_word_embeddings = json.Field("tie_word_embeddings").BooleanOr(true);
  config.special_tokens = SpecialTokens::FromJson(json, config.vocab_size, {50256, {50256}});
  if (config.n_embd % config.n_head != 0) {
    json.Fail("n_embd to be a multiple of n_head",
              std::to_string(config.n_embd) + " and " + std::to_string(config.n_head));
  }
  return config;
}

GptConfig PresetConfig(const std::string& name) {
  GptConfig config;
  config.vocab_size = 256;
  config.special_tokens = {0, {0}};  // the byte NUL, which no text holds
  if (name == "photonic") {
    config.n_positions = 512;
    config.n_embd = 256;
    config.n_layer = 8;
    config.n_head = 8;
  } else if (name == "nano") {
    config.n_positions = 64;
    config.n_embd = 32;
    config.n_layer = 2;
    config.n_head = 2;
  } else {
    throw std::invalid_argument("[preset] expected photonic or nano, found '" + name + "'");
  }
  return config;
}

Gpt::Gpt(const GptConfig& config, Vectors vectors)
    : config_(config),
      wte_("wte", nn::MatrixKind::kVocabulary, config.vocab_size, config.n_embd),
      wpe_("wpe", nn::MatrixKind::kPosition, config.n_positions, config.n_embd),
      ln_f_("ln_f", config.n_embd, static_cast<Real>(config.layer_norm_epsilon)) {
  for (Index i = 0; i < config.n_layer; ++i) {
    blocks_.emplace_back("h." + std::to_string(i), config.n_embd, config.n_head, config.inner(),
                         static_cast<Real>(config.layer_norm_epsilon));
  }
  if (config.tie_word_embeddings) {
    wte_.weight.copies = 2;
  } else {
    lm_head_ =
        std::make_unique<nn::Embedding>("lm_head", nn::MatrixKind::kVocabulary, config.vocab_size, config.n_embd);
  }
  if (vectors == Vectors::kMade) nn::MakeVectors(Gpt::Parts());
}

void Gpt::Initialise(uint64_t seed) {
  uint64_t stream = 0;
  for (nn::Matrix* matrix : Parts().matrices) {
    const double deviation = matrix->to_residual ? 0.02 / std::sqrt(2.0 * static_cast<double>(config_.n_layer)) : 0.02;
    matrix->form = std::make_unique<nn::Dense>(
        matrix->name, Random(seed, stream++).NormalTensor(matrix->StoredShape(), deviation), matrix->layout);
  }
}

Var Gpt::Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>& positions) {
  return ops::Add(wte_.weight.Lookup(tape, ids), wpe_.weight.Lookup(tape, positions));
}

Var Gpt::Block(Index i, const Var& x, const nn::Sequences& sequences) { return blocks_[i].Forward(x, sequences); }

Var Gpt::Head(const Var& x) { return HeadMatrix().Apply(ln_f_.Forward(x)); }

nn::Parts Gpt::BlockParts(Index i) {
  nn::Parts parts;
  blocks_[i].AddTo(parts);
  return parts;
}

nn::Parts Gpt::Parts() {
  nn::Parts parts;
  wte_.AddTo(parts);
  wpe_.AddTo(parts);
  for (nn::GptBlock& block : blocks_) block.AddTo(parts);
  ln_f_.AddTo(parts);
  if (lm_head_) lm_head_->AddTo(parts);
  return parts;
}

std::unique_ptr<LanguageModel> Gpt::Clone() {
  auto copy = std::make_unique<Gpt>(config_);
  copy->checkpoint_blocks = checkpoint_blocks;
  nn::CopyParts(Parts(), copy->Parts());
  return copy;
}

nlohmann::json Gpt::Config() const {
  nlohmann::json config = {{"architectures", {"GPT2LMHeadModel"}},
                           {"model_type", "gpt2"},
                           {"vocab_size", config_.vocab_size},
                           {"n_positions", config_.n_positions},
                           {"n_embd", config_.n_embd},
                           {"n_layer", config_.n_layer},
                           {"n_head", config_.n_head},
                           {"n_inner", config_.n_inner ? nlohmann::json(config_.n_inner) : nlohmann::json()},
                           {"activation_function", "gelu_new"},
                           {"layer_norm_epsilon", config_.layer_norm_epsilon},
                           {"tie_word_embeddings", config_.tie_word_embeddings},
                           {"attn_pdrop", 0.0},
                           {"embd_pdrop", 0.0},
                           {"resid_pdrop", 0.0},
                           {"torch_dtype", "float32"}};
  config_.special_tokens.AddTo(config);
  return config;
}

}  // namespace ampgrad::models
