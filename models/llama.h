#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "models/rope/rope.h"
#include "models/special_tokens.h"
#include "nn/llama_modules.h"

namespace ampgrad::models {

/// The shape of a Llama model; field names as in Hugging Face's config.json.
struct LlamaConfig {
  Index vocab_size = 32000;
  Index hidden_size = 4096;
  Index intermediate_size = 11008;
  Index num_hidden_layers = 32;
  Index num_attention_heads = 32;
  Index num_key_value_heads = 0;  // 0: as many as query heads
  Index head_dim = 0;             // 0: hidden_size / num_attention_heads
  Index max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  bool attention_bias = false;
  bool mlp_bias = false;
  bool tie_word_embeddings = false;
  SpecialTokens special_tokens;

  Index kv_heads() const { return num_key_value_heads ? num_key_value_heads : num_attention_heads; }
  Index dim() const { return head_dim ? head_dim : hidden_size / num_attention_heads; }

  /// Reads a config.json. Throws std::runtime_error naming the field when a value has the wrong type, is out of range
  /// or is not supported.
  static LlamaConfig FromJson(const io::JsonValue& json);
};

/// Llama (Touvron et al., arXiv:2302.13971): root-mean-square norms, rotary positions, grouped heads, a gated MLP,
/// weights [out, in] as in Hugging Face's LlamaForCausalLM.
class Llama : public LanguageModel {
 public:
  /// The matrices are absent until they are loaded.
  explicit Llama(const LlamaConfig& config, Vectors vectors = Vectors::kMade);

  nn::Parts Parts() override;
  nn::Parts BlockParts(Index i) override;
  nn::Matrix& HeadMatrix() override { return lm_head_ ? lm_head_->weight : embed_tokens_.weight; }
  std::unique_ptr<LanguageModel> Clone() override;
  std::vector<int> EndTokens() const override { return config_.special_tokens.Stops(); }
  nlohmann::json Config() const override;
  const char* CheckpointPrefix() const override { return "model."; }

  Index width() const override { return config_.hidden_size; }
  Index vocabulary() const override { return config_.vocab_size; }
  Index context() const override { return config_.max_position_embeddings; }
  Index layers() const override { return config_.num_hidden_layers; }
  Index kv_width() const override { return config_.kv_heads() * config_.dim(); }

 protected:
  ops::RotaryTable Rotations(Index length, Index offset) const override;
  Var Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>& positions) override;
  Var Block(Index i, const Var& x, const nn::Sequences& sequences) override;
  Var Head(const Var& x) override;

 private:
  LlamaConfig config_;
  nn::Embedding embed_tokens_;
  std::vector<nn::LlamaBlock> layers_;
  nn::RmsNorm norm_;
  std::unique_ptr<nn::Embedding> lm_head_;  // untied models only
};

}  // namespace ampgrad::models
