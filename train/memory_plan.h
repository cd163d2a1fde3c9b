#pragma once

#include <string>
#include <vector>

#include "ct/basis.h"
#include "models/language_model.h"

namespace ampgrad::train {

/// How many bytes of tensors training takes, before it begins. What a step keeps grows linearly with its tokens, because no
/// op saves more than a row for each of them, so two tiny steps tell the size of any.
struct MemoryPlan {
  Index mapped = 0;   // weights that lie in a file: the system reads them again where it runs short
  Index weights = 0;  // all else that is there now but the basis and the scores
  Index basis = 0;    // basis and mean row
  Index scores = 0;   // trained numbers of amplitude SFT; full SFT trains the weights
  Index moments = 0;  // AdamW's two for every trained number
  Index logits = 0;   // of a token

  // The step's own bytes at the fullest moment of interval i, from one backward closure to the next, are
  // fixed[i] + tokens·per_token[i].
  std::vector<double> fixed, per_token;

  /// Activations, logits, gradients and work space of a step, at its fullest moment.
  Index Step(Index tokens) const;
  /// What is not there yet.
  Index Missing(Index tokens) const { return moments + Step(tokens); }
  /// All of it together but what is mapped.
  Index Total(Index tokens) const { return weights + basis + scores + Missing(tokens); }
};

/// Runs steps of a few tokens through `model`, as it is prepared for training, and changes nothing in it. `basis` is
/// null for full SFT.
MemoryPlan PlanMemory(models::LanguageModel& model, const ct::Basis* basis = nullptr);

/// "weights 26.1 MB + moments 52.1 MB + activations of 1024 tokens 189.3 MB + logits 1.0 MB = 268.5 MB", with basis, scores
/// and mapped weights where there are any.
std::string ToString(const MemoryPlan& plan, Index tokens);

/// Throws std::runtime_error when `available` bytes are too few for steps of `batch` sequences of `length` tokens, naming
/// the largest of both that would fit: fewer sequences first, then shorter ones.
void RequireMemory(const MemoryPlan& plan, Index batch, Index length, Index available);

/// Bytes as "26.1 MB", a MB being 10⁶ bytes.
std::string Megabytes(Index bytes);

}  // namespace ampgrad::train
