#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "autograd/ops.h"

namespace ampgrad::models {
class LanguageModel;
}

namespace ampgrad::train {

struct Batch;

/// Where a pass may begin instead of at the embedding.
struct HiddenState {
  Index block;   // the first one to run; the number of blocks: the head alone
  Tensor value;  // the residual stream before it [N, C]
};

/// Knows what frozen lower layers make of a batch, so that not every run computes it anew.
class HiddenSource {
 public:
  virtual ~HiddenSource() = default;
  /// Where a pass of `model` over `batch` may begin: with the bits of a pass from the embedding, and only above frozen
  /// layers. None where it must begin at the embedding.
  virtual std::optional<HiddenState> Find(models::LanguageModel& model, const Batch& batch) = 0;
};

/// Sequences one after another: of equal length, or side by side as `borders` cut them.
struct Batch {
  Index length = 0;                // T, with borders that of the longest
  std::vector<int> inputs;         // ids [N], without borders N = B·T
  std::vector<int> targets;        // [N], the next token, or ops::kIgnored
  ops::Borders borders = nullptr;  // [B + 1]
  // What its losses ask where to begin (`BatchLoss`), as those of its shards do; null: at the embedding.
  std::shared_ptr<HiddenSource> hidden = nullptr;

  Index tokens() const { return static_cast<Index>(inputs.size()); }
  Index sequences() const { return borders ? static_cast<Index>(borders->size()) - 1 : tokens() / length; }
  /// The first row of sequence s, or N where s is the number of sequences.
  Index Begin(Index s) const { return borders ? borders->at(s) : s * length; }
  /// Shard `i` of `shards`: sequences [i·B/shards, (i + 1)·B/shards) of B, as a batch of their own. With borders, those
  /// that begin in rows [i·N/shards, (i + 1)·N/shards). Some are empty where there are more shards than sequences.
  Batch Shard(Index i, Index shards) const;
};

/// The data that a run trains on and is judged by.
struct Data {
  std::function<Batch(Index step)> train;  // the batch of step 0, 1, 2, …
  std::vector<Batch> validation;           // for choosing a learning rate; empty when there is nothing to choose
  std::vector<Batch> held_out;             // for the losses that are reported
  Index samples = 0;                       // what a pass over the training data has, as --batch counts
};

/// Leaves out what the validation and the held-out part have beyond `tokens`, in whole batches: each evaluation then
/// costs no more than a few steps. Everything that is compared must be judged by the same Data.
void LimitEvaluation(Data& data, Index tokens);

/// Cuts the batches of the validation and the held-out part as a step's batch is cut into shards, so that an evaluation
/// takes no more memory than a shard.
void CutEvaluation(Data& data, Index shards);

/// The same data, whose steps ask `steps` where to begin, and whose evaluations ask `evaluations`; null: nobody.
Data WithHidden(Data data, std::shared_ptr<HiddenSource> steps, const std::shared_ptr<HiddenSource>& evaluations);

}  // namespace ampgrad::train
