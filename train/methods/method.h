#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/methods/bases.h"
#include "train/methods/scope.h"

namespace ampgrad::train {

/// Where the factors of a low-rank update come from at step 0.
enum class FactorSource {
  kDefault,      // as the method's paper has it
  kGaussian,     // A ~ N(0, 1/r²), as PEFT draws "gaussian"; B = 0
  kOrthonormal,  // the rows of A are random orthonormal vectors; B = 0
  kTop,          // top singular vectors of W₀
  kMinor,        // its bottom ones
  kBasis,        // the universal basis
};

/// The words for them, "default" first, in the order above.
std::vector<std::string> FactorNames();
std::string ToString(FactorSource factors);
/// Throws std::invalid_argument for a word that is none of them.
FactorSource ParseFactors(const std::string& word);

/// All settings of all fine-tuning methods. A method reads those that concern it.
struct MethodSettings {
  std::string method = "full";             // one of MethodNames()
  Scope scope = {};                        // which part of the model trains
  Index k = 0;                             // amplitude: scores per row; 0: the mean row alone, which trains nothing
  ct::Start start = ct::Start::kExact;     // amplitude
  nn::Chain chain = nn::Chain::kExplicit;  // changes the time of a step; its results differ only by rounding
  ct::RowsPolicy rows = ct::RowsPolicy::kBlocks;    // amplitude: which matrices have scores
  ct::BasisKind basis = ct::BasisKind::kUniversal;  // amplitude
  Index rank = 8;                                   // low-rank methods: r
  double alpha = 0;                                 // of lora, lora-fa, pissa, dora: the scale is alpha/r; 0: r
  FactorSource factors = FactorSource::kDefault;    // low-rank methods
  double dropout = 0;                               // lora, lora-fa, pissa, dora: of what A reads
  double share = 0.01;                              // sparse: trained share of each matrix
  uint64_t seed = 1;                                // draws factors and positions

  /// Whether the method is made from a basis; throws std::invalid_argument for an unknown method.
  bool NeedsBasis() const;
  /// Whether the model at step 0 differs from the given one.
  bool StartIsLossy() const { return method == "amplitude" && start == ct::Start::kReconstructed; }
  /// Whether nothing trains: the mean row alone, a level to compare with.
  bool IsLevel() const { return method == "amplitude" && k == 0; }
  /// The scale alpha/r of a low-rank update.
  Real Scale() const { return static_cast<Real>((alpha > 0 ? alpha : static_cast<double>(rank)) / rank); }
  /// "full", "exact K=8", "exact K=8 random", "lora r=8".
  std::string Label() const;
};

/// "universal basis: K = 8 of 24576 rows of width 256, variance captured 0.2076, R² 0.2076, PR 183.2"; other kinds have
/// no variance captured, which is the eigenvalues' of the universal basis. A basis that was read, which has no
/// eigenvalues, has R² alone.
std::string Describe(const ct::Basis& basis, const std::vector<ct::RowSource>& sources,
                     ct::BasisKind kind = ct::BasisKind::kUniversal);

/// The names of all methods.
std::vector<std::string> MethodNames();
/// The peak learning rate of a method when none is asked for. Throws std::invalid_argument for an unknown method.
double DefaultRate(const std::string& method);

/// Makes trainable what a method trains, and freezes the rest.
///   full       every parameter; in a scope of some layers or targets, only those matrices of the blocks (norms and
///              biases stay frozen, as in the papers' counts)
///   amplitude  the scores of the matrices in scope that settings.rows selects; only these matrices change their form.
///              Each basis needs at least settings.k vectors.
///   lora, lora-fa, pissa, dora, core, vera, sparse
///              the update of every matrix of the blocks in scope
///   norms      norms and biases of the blocks in scope; of all layers, the last norm too
/// A scope with the head trains that matrix, too. Throws std::invalid_argument for an unknown method, when a method
/// needs a basis and there is none, and when a rank exceeds what a matrix has.
void Prepare(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases = {});

/// The share of x that a step drops before a low-rank update reads it: of lora, lora-fa, pissa and dora.
void SetDropout(models::LanguageModel& model, double rate);

}  // namespace ampgrad::train
