#pragma once

#include <cstdint>
#include <vector>

#include "train/corpus/bigrams.h"
#include "train/corpus/doubles.h"

namespace ampgrad::corpus {

/// A sparse matrix [rows, cols] by rows: row i has the entries starts[i] to starts[i + 1].
struct SparseMatrix {
  Index cols = 0;
  std::vector<Index> starts;   // [rows + 1]
  std::vector<Index> columns;  // [entries]
  std::vector<double> values;  // [entries]

  Index rows() const { return static_cast<Index>(starts.size()) - 1; }
};

/// The positive pointwise mutual information of neighbours, max(0, log(P[a, b] / (P[a, ·]·P[·, b]))) (Levy and
/// Goldberg, "Neural word embedding as implicit matrix factorization", NIPS 2014). Row and column i belong to token
/// counts.Seen()[i]; entries that are 0 are left out.
SparseMatrix Ppmi(const Bigrams& counts);

/// The largest singular values of a matrix M with their left vectors.
struct LeftSingular {
  Doubles vectors;             // [r, rows], orthonormal rows, each with a positive largest entry; zeros where σ is 0
  std::vector<double> values;  // σ [r], descending
  double residual = 0;         // max_i ‖M·Mᵀu_i − σ_i²u_i‖ / σ_1², 0 where M is 0
  bool converged = true;       // residual <= kSingularResidual
  int rounds = 0;              // of the iteration
};

/// Where the iteration ends, and how often it is tried.
inline constexpr double kSingularResidual = 1e-8;
inline constexpr int kSingularRounds = 100;

/// The r = min(k, rows) largest singular values of `m`, by subspace iteration with a Chebyshev filter (Zhou, Saad,
/// Tiago and Chelikowsky, "Self-consistent-field calculations using Chebyshev-filtered subspace iteration", 2006) from
/// a seeded random start. It uses products with M and Mᵀ alone. When rows <= 2·k + 8 the subspace is the whole space
/// and the first round is exact.
LeftSingular TopLeftSingular(const SparseMatrix& m, Index k, uint64_t seed);

}  // namespace ampgrad::corpus
