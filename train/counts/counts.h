#pragma once

#include <string>
#include <vector>

#include "ct/rows.h"
#include "train/counts/model_shape.h"
#include "train/methods/scope.h"

namespace ampgrad::train {

/// The numbers of a model, and of what is chosen in it. All are exact.
struct Counts {
  Index width = 0;  // d

  // The whole model, a tied vocabulary once.
  Index block_numbers = 0;  // of the matrices of all blocks
  Index vocabulary = 0;
  Index positions = 0;
  Index vectors = 0;  // biases and the gains of norms

  // What a state dict holds beside them.
  Index tied_copies = 0;  // the tied vocabulary once more
  Index masks = 0;

  // What is decomposed.
  Index matrices = 0;     // a tied vocabulary once
  Index rows = 0;         // as the policy counts them: with `width`, those of a tied vocabulary twice
  Index unique_rows = 0;  // each once

  // What full SFT of the same layers trains.
  Index layers = 0;                // blocks in scope
  Index full = 0;                  // numbers of all their matrices, norms and biases left out
  Index head = 0;                  // numbers of the matrix that makes the logits, whether in scope or not
  Index rank_cost = 0;             // numbers that each rank of LoRA takes in the same matrices: the sum of in + out
  Index vocabulary_rank_cost = 0;  // the same in embedding and head, both also where they are tied

  Index Unique() const { return block_numbers + vocabulary + positions + vectors; }
  Index StateDict() const { return Unique() + tied_copies + masks; }
  Index Decomposed() const { return rows * width; }

  Index Scores(Index k) const { return rows * k; }
  Index UniqueScores(Index k) const { return unique_rows * k; }
  Index Basis(Index k) const { return k * width; }
  Index Mean() const { return width; }
  /// Numbers outside the decomposed matrices, which stay as they are.
  Index Frozen() const { return Unique() - unique_rows * width; }
  Index FrozenOfStateDict() const { return StateDict() - Decomposed(); }
  /// Numbers of a model that holds scores, basis and mean row in place of the decomposed matrices.
  Index File(Index k) const { return UniqueScores(k) + Basis(k) + Mean() + Frozen(); }
  Index FileOfStateDict(Index k) const { return Scores(k) + Basis(k) + Mean() + FrozenOfStateDict(); }
  Index Lora(Index rank) const { return rank * rank_cost; }
};

/// Counts what `rows` decomposes in the layers of `scope`. As in training, a choice of layers leaves out the
/// vocabulary, whatever the policy.
Counts CountModel(const ModelShape& shape, ct::RowsPolicy rows, const Scope& scope);

/// One number as a part or a multiple of another, both by name.
struct Ratio {
  std::string name, of_name;
  Index count = 0, of = 0;

  double Value() const { return static_cast<double>(count) / static_cast<double>(of); }
};

/// The scores as a part of everything that they are compared with.
std::vector<Ratio> TrainedShares(const Counts& counts, Index k);

/// How many times smaller things get: before / after.
std::vector<Ratio> Compressions(const Counts& counts, Index k);

/// Bytes that AdamW keeps: two moments in F32 for each trained number.
constexpr Index MomentBytes(Index trained) { return 8 * trained; }

}  // namespace ampgrad::train
