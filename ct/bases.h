#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ct/basis.h"

/// Bases other than the universal one: what its claims are compared with.
namespace ampgrad::ct {

enum class BasisKind {
  kUniversal,  // top singular vectors of all rows of the model
  kBottom,     // its bottom singular vectors
  kRandom,     // random orthonormal vectors, and the universal mean row
  kRotated,    // the universal vectors times a random rotation: the same span
  kType,       // for each type of matrix (q_proj of all layers, …), from its rows alone
  kMatrix,     // for each matrix, top singular vectors of its own rows
  kMinor,      // for each matrix, bottom singular vectors of its own rows
  kLeft,       // for each matrix, its top left singular vectors: W = W₀ + U·S (PiCa, arXiv:2505.20211)
  kGradient,   // top right singular vectors of the stacked rows of dW, and the universal mean row
};

/// All words for a kind, in the order above.
std::vector<std::string> BasisKindNames();
std::string ToString(BasisKind kind);
/// Throws std::invalid_argument for a word that names no kind.
BasisKind ParseBasisKind(const std::string& word);

/// A basis and the matrices that it serves.
struct BasisGroup {
  std::shared_ptr<const Basis> basis;
  std::vector<RowSource> sources;
};

/// The bases of a kind other than kLeft and kGradient, with every source in one group. `seed` draws what is random.
/// Throws std::invalid_argument as ComputeBasis does.
std::vector<BasisGroup> ComputeBases(BasisKind kind, const std::vector<RowSource>& sources, Index k,
                                     const RowSample& sample, uint64_t seed);

/// The last part of the name of a matrix that is not a number, with what follows it: "attn.c_attn.weight" of
/// "h.3.attn.c_attn.weight". Matrices of one type share it.
std::string TypeOf(const std::string& matrix);
/// The first part of the name of a matrix that is a number, which is its layer: 3 of that name; −1 without one.
Index LayerOf(const std::string& matrix);

}  // namespace ampgrad::ct
