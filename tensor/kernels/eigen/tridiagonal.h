#pragma once

#include <vector>

#include "tensor/kernels/eigen/eigen_kernels.h"

namespace ampgrad {

/// T = Qᵀ·A·Q, tridiagonal, for a symmetric matrix A. Q is a product of reflections H = I − 2·v·vᵀ. Their vectors v are
/// kept; v = 0 stands for the identity.
///
/// The reduction has two stages (Bischof, Lang and Sun, "A framework for symmetric band reduction", 2000). The first
/// reduces A to a band by block reflections, nearly all of it matrix products. The second reduces the band to three
/// diagonals by chasing bulges down the band, which stays in cache. A single stage would read the whole matrix from
/// memory once per column.
class Tridiagonalisation {
 public:
  /// A = factor·a; only the upper triangle of `a` [n, n] is read. Entries of A should be near 1: those below 1e-100
  /// count as zero.
  Tridiagonalisation(const std::vector<double>& a, Index n, double factor);

  const std::vector<double>& diagonal() const { return diagonal_; }          // [n]
  const std::vector<double>& off_diagonal() const { return off_diagonal_; }  // [n − 1], entry i couples i and i + 1

  /// Number of rows that a strip needs: n and padding.
  Index StripRows() const { return size_ + kernels::kBand; }
  /// strip [StripRows(), kBand] ← Q·strip. Rows from n on must be zero.
  void MultiplyByQ(double* strip) const;

 private:
  void ReduceToBand();
  void ReducePanel(Index k);
  void UpdateTrailing(Index k);
  void ChaseBulges();
  void ChaseFrom(Index j);

  double* Dense(Index i, Index j) { return &dense_[i * dense_stride_ + j]; }
  double& Band(Index i, Index j);  // an entry of the band or of its bulges

  Index n_, size_;  // size_: n rounded up to whole tiles; the padding is zero
  Index dense_stride_;
  // Tiles of A on or above the diagonal. Rows that are already in the band hold only the first stage's reflections.
  std::vector<double> dense_;
  std::vector<double> band_;                 // see Band
  std::vector<std::vector<double>> chases_;  // second stage: vector i of chase j reflects rows from j + 1 + i·kBand on
  std::vector<double> diagonal_, off_diagonal_;
};

}  // namespace ampgrad
