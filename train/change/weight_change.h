#pragma once

#include <string>
#include <vector>

#include "ct/basis.h"
#include "ct/rows.h"
#include "models/language_model.h"
#include "models/tokenizer/tokenizer.h"
#include "train/change/change_spectrum.h"

/// What training changed: ΔW = W after − W before, matrix by matrix, as rows of the model's width d.
namespace ampgrad::train {

/// How much of ‖ΔW‖² lies inside the span of the first K vectors of the basis.
struct SpanShare {
  Index k = 0;
  double share = 0;    // ‖ΔW·Bᵀ‖²/‖ΔW‖²
  RandomShare random;  // of a subspace chosen without knowledge of ΔW
  double best = 0;     // of the best subspace there is: Σ_{i≤K} σ²/Σσ²
};

/// Sums over matrices, each counted once.
struct ChangeSums {
  std::string name;            // of the layer or kind
  Index count = 0;             // matrices
  Index changed = 0;           // those with ΔW ≠ 0
  double weight_squares = 0;   // Σ‖W‖², before
  double squares = 0;          // Σ‖ΔW‖²
  std::vector<double> inside;  // Σ‖ΔW·Bᵀ‖² for each K

  double Norm() const;
  /// ‖ΔW‖/‖W‖; not finite where W is zero.
  double Relative() const;
  /// The share of K number `i`; 0 where nothing changed.
  double Share(size_t i) const;
};

/// A matrix that changed.
struct MatrixChange {
  ChangeSums sums;   // of this matrix, with its name
  std::string kind;  // ct::TypeOf its name
  Index layer = -1;  // −1: in no block
  Index rows = 0;    // n, of width d
  ChangeSpectrum spectrum = {};
  std::vector<SpanShare> shares = {};  // for each K
};

/// A row that changed: Δs = Δw·Bᵀ in all vectors of the basis.
struct RowChange {
  std::string matrix;
  Index row = 0;
  std::string of = {};      // what the row belongs to: an "output" or an "input" of the matrix, or a "token"
  double score_change = 0;  // ‖Δs‖
  double change = 0;        // ‖Δw‖
  std::string token = {};   // printable text of the row's token; "" for other rows
};

/// What training changed in a model of width d.
struct WeightChange {
  Index width = 0;  // d
  Index k = 0;      // vectors of the basis
  std::vector<Index> ks;
  ChangeSums all;                      // every matrix of the policy
  ChangeSpectrum stacked;              // of all ΔW stacked [N, d]: one subspace for all of them
  std::vector<SpanShare> shares;       // of all ΔW stacked, for each K
  std::vector<MatrixChange> matrices;  // those that changed, in the model's order
  std::vector<ChangeSums> layers;      // by block
  std::vector<ChangeSums> kinds;       // by ct::TypeOf, in the model's order
  ChangeSums outside;                  // matrices and vectors that the policy leaves out
  std::vector<RowChange> top_rows;     // by score change, the largest first
  std::vector<RowChange> top_tokens;   // the same of the vocabulary's rows alone
};

struct ChangeOptions {
  std::vector<Index> ks = {};  // each in 1..K of the basis
  ct::RowsPolicy policy = ct::RowsPolicy::kBlocks;
  size_t top = 16;                               // rows in a list of rows
  const models::Tokenizer* tokenizer = nullptr;  // for the text of the vocabulary's rows
};

/// Compares two models of one shape, one matrix at a time; an adapter is compared by giving its model as `after`. The
/// basis is that of `before`, computed with the largest K. Rows that count twice in a policy count once here. The same
/// bits for any number of threads. Throws std::runtime_error where the models differ in shape or a change is not
/// finite, and std::invalid_argument when the basis has another width or a K is not one of it.
WeightChange CompareWeights(models::LanguageModel& before, models::LanguageModel& after, const ct::Basis& basis,
                            const ChangeOptions& options);

}  // namespace ampgrad::train
