#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "ct/basis.h"
#include "models/language_model.h"
#include "train/methods/method.h"
#include "train/trainer.h"

namespace ampgrad::train {

/// What lies unused between blocks that come and go in many sizes, `bytes` at their peak: measured, up to half as much.
inline Index GapsOf(Index bytes) { return bytes / 2; }

/// How many bytes of tensors training will take. What a step keeps grows linearly with its tokens, because no op saves
/// more than a row for each token. So two tiny steps tell the size of any step.
struct MemoryPlan {
  Index mapped = 0;   // weights in mapped files: if memory is short, the system drops and rereads them
  Index weights = 0;  // everything else that is held now, without basis and scores
  Index basis = 0;    // basis and mean row
  Index scores = 0;   // trained elements of amplitude-only SFT; full SFT trains the weights
  Index moments = 0;  // AdamW's two for every trained element; SGD has none
  Index logits = 0;   // of one token

  // The largest number of bytes of the step itself in interval i, from one op or backward closure to the next, is
  // fixed[i] + tokens·per_token[i]. In a longer interval the most could be reached at another place for more tokens.
  std::vector<double> fixed, per_token;

  Index sums = 0;    // of the gradients of a step's shards, where there is more than one: whole numbers of 8 bytes
  Index best = 0;    // the parameters of the best evaluation, where they are kept
  Index shards = 1;  // of which a step holds the activations of one at a time
  bool packed =
      false;  // whole sequences side by side: a shard may end beyond its part of the rows, by less than one row

  /// Activations, logits, gradients and work space of a step, at its peak.
  Index Step(Index tokens) const;
  Index Gaps(Index tokens) const { return GapsOf(Step(tokens)); }
  /// Bytes that are not allocated yet.
  Index Missing(Index tokens) const { return moments + sums + best + Step(tokens) + Gaps(tokens); }
  /// All tensors except the mapped weights.
  Index Total(Index tokens) const { return weights + basis + scores + moments + sums + best + Step(tokens); }
  /// Sequences, or rows of packed ones, that the largest shard of a step of `batch` may hold.
  Index Shard(Index batch) const { return std::min(batch, (batch + shards - 1) / shards + Beyond()); }
  Index Beyond() const { return packed && shards > 1 ? 1 : 0; }
};

/// Runs steps of a few tokens through `model`, as it is prepared for training, and changes nothing in it. `basis` is
/// null for full SFT. The options tell the optimiser and the shards.
MemoryPlan PlanMemory(models::LanguageModel& model, const ct::Basis* basis = nullptr, const TrainOptions& options = {},
                      bool keep_best = false);

/// "weights 26.1 MB + moments 52.1 MB + activations of 1024 tokens 189.3 MB + logits 1.0 MB = 268.5 MB, and gaps of up
/// to 95.2 MB between them", with basis, scores and mapped weights where there are any. The process takes no more than
/// this sum and 64 MB for itself.
std::string ToString(const MemoryPlan& plan, Index tokens);

/// Throws std::runtime_error when `available` bytes are too few for steps of `batch` sequences of `length` tokens, in
/// the plan's shards. The message names the largest batch and length that fit: fewer sequences first, then shorter
/// ones.
void RequireMemory(const MemoryPlan& plan, Index batch, Index length, Index available);

/// A basis of zeros of the size that a method asks for, or null: a step takes as much with it as with any.
std::shared_ptr<const ct::Basis> EmptyBasis(const MethodSettings& method, Index width);

/// What full SFT takes for the matrices that it trains, in bytes: their weights in Real, gradients and moments. 0 for
/// other methods, which train few parameters: `PlanMemory` can try them.
Index BytesToPrepare(models::LanguageModel& model, const MethodSettings& method,
                     OptimizerKind optimizer = OptimizerKind::kAdamW);

/// How many numbers lie in blocks that full SFT will widen to Real, to train them. 0 for other methods.
Index NumbersToWiden(models::LanguageModel& model, const MethodSettings& method);
/// "full: 6515200 parameters are trained", and if there are any, ", 4718592 of them widened from blocks".
std::string DescribeTrained(const std::string& label, models::LanguageModel& prepared, Index widened);

/// Throws std::runtime_error when `available` bytes are too few for what a method trains: its weights in Real, their
/// gradients and moments. Call it before `Prepare`, which makes the weights; a plan can only be made afterwards.
void RequireMemoryToPrepare(models::LanguageModel& model, const MethodSettings& method, Index available,
                            OptimizerKind optimizer = OptimizerKind::kAdamW);

/// Throws std::runtime_error when `available` bytes are too few to read a prompt of `prompt` tokens and to keep the
/// keys and values of `positions` tokens; `option` is the one to lower.
void RequireMemoryToGenerate(models::LanguageModel& model, Index prompt, Index positions, Index available,
                             const std::string& option = "--tokens");

/// Bytes as "26.1 MB", a MB being 10⁶ bytes.
std::string Megabytes(Index bytes);

}  // namespace ampgrad::train
