#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "nn/kv_cache.h"
#include "nn/modules.h"

namespace ampgrad::models {

/// A causal language model, as training, analysis and generation see it: an embedding, a stack of blocks, a head. One forward
/// pass serves all three.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  /// Logits [N, V] of `ids` [N], N a multiple of `length`: rows grouped in sequences.
  /// Throws std::invalid_argument when length exceeds the context or an id the vocabulary.
  Var Logits(Tape& tape, const std::vector<int>& ids, Index length);
  /// An empty cache for one sequence of at most `positions` tokens, positions <= context().
  nn::KvCache MakeCache(Index positions) const { return {layers(), positions, kv_width()}; }
  /// Logits [1, V] of the token behind `ids`, which follow the tokens in the cache and join them there: a whole prompt at
  /// once, then token by token. They are the last row of Logits of the whole sequence: bit for bit as long as
  /// no product uses tiles (kernels::Gemm), to rounding where one does.
  /// Throws std::invalid_argument when there is no id, no room, or an id exceeds the vocabulary.
  Tensor NextLogits(const std::vector<int>& ids, nn::KvCache& cache);

  /// Its matrices and vectors, in the order of the model.
  virtual nn::Parts Parts() = 0;
  /// Those of block `i`.
  virtual nn::Parts BlockParts(Index i) = 0;
  /// The matrix [V, C] that makes the logits; in a tied model the embedding.
  virtual nn::Matrix& HeadMatrix() = 0;
  /// An independent copy: same configuration, same weights; a matrix without parameters lies where it lay.
  virtual std::unique_ptr<LanguageModel> Clone() = 0;
  /// The tokens that end a text which the model continues: none of them belongs to it.
  virtual std::vector<int> EndTokens() const { return {}; }
  /// The content of config.json.
  virtual nlohmann::json Config() const = 0;
  /// What the names of the tensors are prefixed with in a checkpoint.
  virtual const char* CheckpointPrefix() const = 0;

  virtual Index width() const = 0;
  virtual Index vocabulary() const = 0;
  virtual Index context() const = 0;
  virtual Index layers() const = 0;
  /// G·D, what a position takes in the keys of a layer's cache.
  virtual Index kv_width() const = 0;

  /// Whether a training pass keeps of each block its input alone, and runs it a second time on the way back (`Checkpoint`).
  bool checkpoint_blocks = false;

 protected:
  /// The turns of rotary positions offset..offset + length, which all blocks share; absent where positions are learned.
  virtual ops::RotaryTable Rotations(Index /*length*/, Index /*offset*/) const { return {}; }
  /// The residual stream [N, C] before the first block: token n stands at `positions`[n].
  virtual Var Embed(Tape& tape, const std::vector<int>& ids, const std::vector<int>& positions) = 0;
  /// Block `i`: x [N, C] → [N, C].
  virtual Var Block(Index i, const Var& x, const nn::Sequences& sequences) = 0;
  /// The last norm and the product with the vocabulary: x [N, C] → [N, V].
  virtual Var Head(const Var& x) = 0;
};

/// All parameters, those of the matrices' forms first.
std::vector<Param*> Parameters(LanguageModel& model);

/// The parameters that are trained.
std::vector<Param*> TrainableParameters(LanguageModel& model);

/// Marks every parameter as frozen, or as trained; a matrix that has none becomes dense to train.
void SetTrainable(LanguageModel& model, bool trainable);

/// Number of numbers in `params`.
Index CountParameters(const std::vector<Param*>& params);
/// Number of numbers of the model, in whatever forms its matrices are.
Index CountParameters(LanguageModel& model);

}  // namespace ampgrad::models
