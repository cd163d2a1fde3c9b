#pragma once

#include <vector>

#include "tensor/kernels/eigen/eigen_kernels.h"

namespace ampgrad {

/// T = Qᵀ·A·Q, tridiagonal, for a symmetric matrix A. Q is a product of reflections H = I − 2·v·vᵀ, which are kept; v =
/// 0 stands for the identity.
///
/// The reduction has two stages (Bischof, Lang and Sun, "A framework for symmetric band reduction", 2000): to a band by
/// block reflections, nearly all of it matrix products, then to three diagonals by chasing bulges down the band, which
/// stays in cache. One stage would read the whole matrix from memory once per column.
class Tridiagonalisation {
 public:
  /// A = factor·a, `a` [n, n], of which the upper triangle alone is read. Entries of A should be near 1: those below
  /// 1e-100 count as zero.
  Tridiagonalisation(const std::vector<double>& a, Index n, double factor);

  const std::vector<double>& diagonal() const { return diagonal_; }          // [n]
  const std::vector<double>& off_diagonal() const { return off_diagonal_; }  // [n − 1], entry i couples i and i + 1

  /// Number of rows that a strip needs: n and padding.
  Index StripRows() const { return size_ + kernels::kTile; }
  /// strip [StripRows(), kTile] ← Q·strip. Rows behind n must be zero.
  void MultiplyByQ(double* strip) const;

 private:
  void ReduceToBand();
  void ReducePanel(Index k);
  void UpdateTrailing(Index k);
  void ChaseBulges();
  void ChaseFrom(Index j);

  double* Dense(Index i, Index j) { return &dense_[i * dense_stride_ + j]; }
  double& Band(Index i, Index j);  // of the band and the bulges that are chased down it

  Index n_, size_;  // size_: n rounded up to whole tiles; what is added is zero
  Index dense_stride_;
  // Tiles of A on or above the diagonal; of rows already in the band only the first stage's reflections are left.
  std::vector<double> dense_;
  std::vector<double> band_;                 // see Band
  std::vector<std::vector<double>> chases_;  // the second stage's: of chase j those of rows j + 1 + i·kTile
  std::vector<double> diagonal_, off_diagonal_;
};

}  // namespace ampgrad
