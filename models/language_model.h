#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "nn/modules.h"

namespace ampgrad::models {

/// A causal language model, as training, analysis and generation see it. One forward pass serves all three.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  /// Logits [N, V] of `ids` [N], N a multiple of `length`: rows grouped in sequences.
  /// Throws std::invalid_argument when length exceeds the context or an id the vocabulary.
  virtual Var Logits(Tape& tape, const std::vector<int>& ids, Index length) = 0;
  /// An empty cache for one sequence of at most `positions` tokens, positions <= context().
  virtual nn::KvCache MakeCache(Index positions) const = 0;
  /// Logits [1, V] of the token behind `ids`, which follow the tokens in the cache and join them there: a whole prompt
  /// at once, then token by token. The bits are those of the last row of Logits of the whole sequence.
  /// Throws std::invalid_argument when there is no id, no room, or an id exceeds the vocabulary.
  virtual Tensor NextLogits(const std::vector<int>& ids, nn::KvCache& cache) = 0;
  /// Its matrices and vectors, in the order of the model.
  virtual nn::Parts Parts() = 0;
  /// An independent copy: same configuration, same numbers, every matrix dense.
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
};

/// All parameters, those of the matrices' forms first.
std::vector<Param*> Params(LanguageModel& model);

/// The parameters that are trained.
std::vector<Param*> TrainableParams(LanguageModel& model);

/// Marks every parameter as frozen, or as trained.
void SetTrainable(LanguageModel& model, bool trainable);

/// Number of numbers in `params`.
Index CountNumbers(const std::vector<Param*>& params);

}  // namespace ampgrad::models
