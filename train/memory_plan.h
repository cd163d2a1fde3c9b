#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"

namespace ampgrad::train {

/// How many bytes of tensors training takes, before it begins. What a step keeps grows linearly with its tokens, because no
/// op saves more than a row for each of them, so two tiny steps tell the size of any.
struct MemoryPlan {
  Index held;     // weights, scores, basis and whatever else is there now
  Index moments;  // AdamW's two for every trained number

  // The step's own bytes at the fullest moment of interval i, from one backward closure to the next, are
  // fixed[i] + tokens·per_token[i].
  std::vector<double> fixed, per_token;

  /// Activations, gradients and work space of a step, at its fullest moment.
  Index Step(Index tokens) const;
  /// All of it together.
  Index Total(Index tokens) const { return held + moments + Step(tokens); }
};

/// Runs two steps of a few tokens through `model`, as it is prepared for training, and changes nothing in it.
MemoryPlan PlanMemory(models::LanguageModel& model);

/// "weights 26.1 MB + moments 52.1 MB + step of 1024 tokens 190.3 MB = 268.5 MB"
std::string ToString(const MemoryPlan& plan, Index tokens);

/// Bytes as "26.1 MB", a MB being 10⁶ bytes.
std::string Megabytes(Index bytes);

}  // namespace ampgrad::train
