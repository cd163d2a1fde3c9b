#pragma once

#include <vector>

#include "ct/spectra/stack.h"

/// Sums over the rows of scores S [n, K]. Those of fewer components are their leading parts, so one pass
/// serves every K.
namespace ampgrad::ct {

struct ScoreSums {
  Index rows = 0;
  std::vector<double> powers[4];   // Σ s, Σ s², Σ s³, Σ s⁴ of each column [K]
  std::vector<double> covariance;  // Σ (s_i − mean_i)(s_j − mean_j) [K, K]

  Index k() const { return static_cast<Index>(powers[0].size()); }
  /// The sums of the rows of both, as one stack.
  void Add(const ScoreSums& other);
};

ScoreSums SumScores(Columns scores);
/// The same of the scores (R_m − μ)·Bᵀ of one matrix.
ScoreSums SumScores(const RowSource& source, const Basis& basis);

/// What the leading `k` columns say of their rows.
struct ScoreFigures {
  double amplitude_pr;  // participation ratio of λ(S)
  double pc1;           // λ₁/Σλ
  Index n95;            // the least number of λ with 95 % of their sum
  double max_corr;      // largest absolute Pearson correlation of two columns; 0 for one column
  double kurtosis;  // excess kurtosis of all entries about their mean, m₄/m₂² − 3; 0 where all are equal. The mean
                    // of all, and so this figure, depends on the sign that each vector of the basis has
};
ScoreFigures FiguresOf(const ScoreSums& sums, Index k);

/// The leading block [k, k] of the covariance sums, row-major.
std::vector<double> LeadingCovariance(const ScoreSums& sums, Index k);
/// The largest absolute correlation in covariance sums [k, k].
double LargestCorrelation(const std::vector<double>& covariance, Index k);
/// m₄/m₂² − 3 of `count` numbers from their power sums.
double ExcessKurtosis(double count, const double (&powers)[4]);

}  // namespace ampgrad::ct
