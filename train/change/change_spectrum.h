#pragma once

#include <vector>

#include "tensor/tensor.h"

/// The spectrum of a change of weights ΔW [n, d], and what a subspace chosen without it would hold of it.
namespace ampgrad::train {

/// Singular values that are kept; all figures come from all of them.
inline constexpr size_t kKeptValues = 64;

/// What the singular values σ of a matrix say. All four ranks are those of a matrix that is not zero.
struct ChangeSpectrum {
  std::vector<double> values;  // the largest σ, descending, at most kKeptValues
  double effective_rank = 0;  // exp(−Σ p·log p), p = σ²/Σσ². Roy and Vetterli (EUSIPCO 2007) take p = σ/Σσ, which
                              // is larger; shares of ‖ΔW‖² are shares of what all other figures here count
  double participation_ratio = 0;  // (Σσ²)²/Σσ⁴
  double stable_rank = 0;          // Σσ²/σ₁²
  Index rank = 0;                  // σ above the floor; 0 if the whole change may be rounding
  double floor = 0;                // below it a σ may be rounding: RankFloor
};

/// The floor of the numerical rank, the largest of three:
///   σ₁·max(n, d)·ε of Real       the usual convention for numbers computed in Real (Golub and Van Loan, 5.4.1)
///   σ₁·√(max(n, d)·ε of double)  what the Gram matrix can tell from zero, as it holds σ²
///   `rounding`                   what rounding the weights adds to ΔW, whatever σ₁ is: RoundingNorm
double RankFloor(double sigma1, Index rows, Index width, double rounding);

/// The spectrum of a matrix [rows, width] from all eigenvalues, descending, of the Gram matrix of either side. They may
/// be below zero by rounding. `rounding` as in RankFloor.
ChangeSpectrum SpectrumOf(const std::vector<double>& eigenvalues, Index rows, Index width, double rounding);

/// The norm of the rounding error of weights W [n, d], which are stored with a relative error of at most ε/2 an entry:
/// ½·ε·(max of the rows' norms + max of the columns' norms). For independent errors it is the leading term of the
/// bound of Bandeira and van Handel (Annals of Probability 44(4), 2016); for equal variances, √n + √d of them.
class RoundingNorm {
 public:
  explicit RoundingNorm(Index width) : columns_(static_cast<size_t>(width), 0.0) {}

  /// Adds rows with this ε, the largest of their squared norms and the sums of squares of their columns.
  void Add(double epsilon, double largest_row, const std::vector<double>& columns);
  double Value() const;

 private:
  double row_ = 0;               // largest (ε·norm)²
  std::vector<double> columns_;  // Σ (ε·w)²
};

/// The share of ‖ΔW‖² inside a random K-dimensional subspace of R^d.
struct RandomShare {
  double mean = 0;   // K/d
  double level = 0;  // at most 1: 95 % of random subspaces hold less
};

/// The null of a share, for a change whose ΔWᵀΔW = G has this participation ratio (tr G)²/tr G². For a projection P on
/// a Haar-random subspace tr(PG)/tr G has mean K/d and variance
///   2K(d − K)/((d − 1)d(d + 2)) · (tr G² − (tr G)²/d)/(tr G)²,
/// exactly; K = 1 is the variance of a quadratic form on the sphere. The level is mean + 1.645 standard deviations, a
/// normal approximation. Where the change has few dimensions the share is skewed: of one dimension it follows
/// Beta(K/2, (d − K)/2), and the level is too low, by up to a fifth for K = 1.
RandomShare ShareOfRandomSpan(Index k, Index d, double participation_ratio);

}  // namespace ampgrad::train
