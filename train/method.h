#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "train/scope.h"

namespace ampgrad::train {

/// Everything that a fine-tuning method may be told, by name. A method reads what concerns it.
struct MethodSettings {
  std::string method = "full";          // one of MethodNames()
  Scope scope = {};                     // which part of the model trains
  Index k = 0;                          // amplitude: scores a row
  ct::Start start = ct::Start::kExact;  // amplitude
  ct::Chain chain =
      ct::Chain::kExplicit;  // amplitude: changes the time of a step, and what it learns by rounding alone
  ct::RowsPolicy rows = ct::RowsPolicy::kBlocks;  // amplitude: which matrices have scores

  bool NeedsBasis() const { return method == "amplitude"; }
  /// Whether step 0 is another model than the one that was given.
  bool StartIsLossy() const { return method == "amplitude" && start == ct::Start::kReconstructed; }
  /// "full", "exact K=8".
  std::string Label() const;
};

/// "universal basis: K = 8 of 24576 rows of width 256, variance captured 0.2076, R² 0.2076, PR 183.2"
std::string Describe(const ct::Basis& basis, const std::vector<ct::RowSource>& sources);

/// The methods that there are.
std::vector<std::string> MethodNames();

/// Makes a model trainable by a method, and freezes the rest.
///   full       trains every parameter or, of a scope that is not all layers, the matrices of its blocks (norms and biases
///              stay, as in the papers' counts)
///   amplitude  trains the scores of those matrices in scope that settings.rows selects; only they leave the form they
///              have. `basis` needs at least settings.k vectors.
/// A scope with the head trains that matrix too. Throws std::invalid_argument for an unknown method, and when it needs a
/// basis and there is none.
void Prepare(models::LanguageModel& model, const MethodSettings& settings,
             const std::shared_ptr<const ct::Basis>& basis = nullptr);

}  // namespace ampgrad::train
