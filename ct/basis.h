#pragma once

#include <cstdint>
#include <vector>

#include "ct/gram.h"
#include "ct/rows.h"

namespace ampgrad::ct {

/// The universal basis of a model: W ≈ S·B + 1·μᵀ for every decomposed matrix.
struct Basis {
  Tensor vectors;                   // B [K, d], orthonormal rows: the top eigenvectors of (R − μ)ᵀ(R − μ)
  Tensor mean;                      // μ [d], the mean of all rows R
  std::vector<double> eigenvalues;  // [d], descending, all of them; empty if it was read
  Index rows;                       // N, from which it was computed, repeats included; 0 if it was read

  Index k() const { return vectors.rows(); }
  Index width() const { return vectors.cols(); }
};

/// Which rows the basis is computed from: all of them, or a sample.
struct RowSample {
  Index rows_per_matrix = 0;  // 0: all rows; else that many of each matrix, without replacement (all if it has fewer)
  uint64_t seed = 0;
};

/// Computes μ and K right singular vectors of the centred rows, from one end of their spectrum. They come from the
/// d x d Gram matrix: blocks of rows are multiplied in Real and summed in double, one after another, so that no second
/// copy of the model exists. With a sample, only its rows are read.
/// Throws std::invalid_argument when there is no source, K is not in 1..d, or the Gram matrix is not finite.
Basis ComputeBasis(const std::vector<RowSource>& sources, Index k, const RowSample& sample = {},
                   Spectrum end = Spectrum::kTop);

/// The same basis with its first `k` vectors only. Throws std::invalid_argument when k is not in 1..K.
Basis Truncated(const Basis& basis, Index k);

/// S = (W − μ)·Bᵀ [n, K] for the rows W [n, d] of one matrix. That W and S fit the basis is not checked, here or below.
Tensor Scores(const Tensor& rows, const Basis& basis);

/// W ≈ S·B + 1·μᵀ [n, d] from the scores S [n, K].
Tensor Rebuild(const Tensor& scores, const Basis& basis);

/// Σ_{i<=K} λ_i / Σ λ_i, 1 when all rows are equal; equal to R² when the basis was computed from all rows. It takes
/// the vectors for the top ones. NaN of a basis that was read, as its eigenvalues are not known.
double VarianceCaptured(const Basis& basis);

/// The participation ratio (Σ λ_i)² / Σ λ_i², the effective number of dimensions that the rows occupy: 1 to d, 0 when
/// all rows are equal.
double ParticipationRatio(const std::vector<double>& eigenvalues);

/// 1 − Σ‖W − S·B − μ‖² / Σ‖W − μ‖² over all rows of all sources, repeats included; 1 when all rows are equal.
double RSquared(const std::vector<RowSource>& sources, const Basis& basis);

}  // namespace ampgrad::ct
