#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "train/scope.h"

namespace ampgrad::train {

/// All settings of all fine-tuning methods. A method reads those that concern it.
struct MethodSettings {
  std::string method = "full";             // one of MethodNames()
  Scope scope = {};                        // which part of the model trains
  Index k = 0;                             // amplitude: scores per row
  ct::Start start = ct::Start::kExact;     // amplitude
  ct::Chain chain = ct::Chain::kExplicit;  // amplitude: changes the time of a step; its results differ only by rounding
  ct::RowsPolicy rows = ct::RowsPolicy::kBlocks;  // amplitude: which matrices have scores

  /// Whether the method is made from a basis; throws std::invalid_argument for an unknown method.
  bool NeedsBasis() const;
  /// Whether the model at step 0 differs from the given one.
  bool StartIsLossy() const { return NeedsBasis() && start == ct::Start::kReconstructed; }
  /// "full", "exact K=8".
  std::string Label() const;
};

/// "universal basis: K = 8 of 24576 rows of width 256, variance captured 0.2076, R² 0.2076, PR 183.2"
std::string Describe(const ct::Basis& basis, const std::vector<ct::RowSource>& sources);

/// The names of all methods.
std::vector<std::string> MethodNames();

/// Makes trainable what a method trains, and freezes the rest.
///   full       trains every parameter; in a scope of some layers, only the matrices of their blocks (norms and biases
///              stay frozen, as in the papers' counts)
///   amplitude  trains the scores of the matrices in scope that settings.rows selects; only these matrices change their
///              form. `basis` needs at least settings.k vectors.
/// A scope with the head trains that matrix, too. Throws std::invalid_argument for an unknown method, and when a method
/// needs a basis and there is none.
void Prepare(models::LanguageModel& model, const MethodSettings& settings,
             const std::shared_ptr<const ct::Basis>& basis = nullptr);

}  // namespace ampgrad::train
