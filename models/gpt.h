#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "models/special_tokens.h"
#include "nn/gpt_modules.h"

namespace ampgrad::models {

/// The shape of a GPT-2 model; field names as in Hugging Face's config.json.
struct GptConfig {
  Index vocab_size = 50257;
  Index n_positions = 1024;
  Index n_embd = 768;
  Index n_layer = 12;
  Index n_head = 12;
  Index n_inner = 0;  // 0: 4·n_embd
  double layer_norm_epsilon = 1e-5;
  bool tie_word_embeddings = true;
  SpecialTokens special_tokens;

  Index inner() const { return n_inner ? n_inner : 4 * n_embd; }

  /// Reads a config.json. Throws std::runtime_error naming the field when a value has the wrong type, is out of range
  /// or is not supported.
  static GptConfig FromJson(const io::JsonValue& json);
};

/// The shapes of models trained here: "photonic" (d = 256, 8 layers, 8 heads, context 512, byte vocabulary) and "nano"
/// for tests. Throws std::invalid_argument for another name.
GptConfig PresetConfig(const std::string& name);

/// GPT-2: learned positions, pre-norm blocks, GELU, Conv1D weights [in, out] as in Hugging Face's GPT2LMHeadModel.
class Gpt : public LanguageModel {
 public:
  /// The matrices are absent until they are loaded or initialised.
  explicit Gpt(const GptConfig& config, Vectors vectors = Vectors::kMade);

  /// Draws GPT-2's initial weights: normal with standard deviation 0.02; projections onto the residual stream are
  /// scaled by 1/√(2·layers).
  void Initialise(uint64_t seed);

  nn::Parts Parts() override;
  nn::Parts BlockParts(Index i) override;
  nn::Matrix& HeadMatrix() override { return lm_head_ ? lm_head_->weight : wte_.weight; }
  std::unique_ptr<LanguageModel> Clone() override;
  std::vector<int> EndTokens() const override { return config_.special_tokens.Stops(); }
  nlohmann::json Config() const override;
  const char* CheckpointPrefix() const override { return "transformer."; }

  Index width() const override { return config_.n_embd; }
  Index vocabulary() const override { return config_.vocab_size; }
  Index context() const override { return config_.n_positions; }
  Index layers() const override { return config_.n_layer; }
  Index kv_width() const override { return config_.n_embd; }

 protected:
  Var Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>& positions) override;
  Var Block(Index i, const Var& x, const nn::Sequences& sequences) override;
  Var Head(const Var& x) override;

 private:
  GptConfig config_;
  nn::Embedding wte_, wpe_;
  std::vector<nn::GptBlock> blocks_;
  nn::LayerNorm ln_f_;
  std::unique_ptr<nn::Embedding> lm_head_;  // untied models only
};

}  // namespace ampgrad::models
