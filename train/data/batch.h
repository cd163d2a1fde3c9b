#pragma once

#include <functional>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::train {

/// Sequences of equal length, one after another.
struct Batch {
  Index length = 0;          // T
  std::vector<int> inputs;   // ids [B·T]
  std::vector<int> targets;  // [B·T], the next token, or ops::kIgnored

  Index tokens() const { return static_cast<Index>(inputs.size()); }
  Index sequences() const { return tokens() / length; }
  /// Shard `i` of `shards`: sequences [i·B/shards, (i + 1)·B/shards) of B, as a batch of their own. Some are empty
  /// where there are more shards than sequences.
  Batch Shard(Index i, Index shards) const;
};

/// The data that a run trains on and is judged by.
struct Data {
  std::function<Batch(Index step)> train;  // the batch of step 0, 1, 2, …
  std::vector<Batch> validation;           // for choosing a learning rate; empty when there is nothing to choose
  std::vector<Batch> held_out;             // for the losses that are reported
  Index samples = 0;                       // sequences that a pass over the training data has
};

/// Leaves out what the validation and the held-out part have beyond `tokens`, in whole batches: each evaluation then
/// costs no more than a few steps. Everything that is compared must be judged by the same Data.
void LimitEvaluation(Data& data, Index tokens);

/// Cuts the batches of the validation and the held-out part as a step's batch is cut into shards, so that an evaluation
/// takes no more memory than a shard.
void CutEvaluation(Data& data, Index shards);

}  // namespace ampgrad::train
