#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "train/corpus/doubles.h"

namespace ampgrad::corpus {

/// Folds of the cross-validation, and the fewest rows it takes: two in each fold.
inline constexpr Index kFolds = 5;
inline constexpr Index kFewestRows = 2 * kFolds;

/// The penalties λ that are tried, of features with variance 1: from almost none to almost the mean alone.
inline constexpr int kPenalties = 16;
/// λ number i, ascending: 10^(−3.5 + i/2).
double Penalty(int i);

/// How well targets were predicted out of sample, summed over rows and columns of the targets.
struct Explained {
  double error = 0;  // Σ(y − ŷ)²
  double total = 0;  // Σ(y − ȳ)², ȳ the mean of the column over the training folds

  /// 1 − error/total: 1 is perfect, 0 no better than the mean, negative worse; 0 when there is nothing to predict.
  double r2() const { return total > 0 ? 1 - error / total : 0; }
  void Add(const Explained& other) {
    error += other.error;
    total += other.total;
  }
};

/// Ridge regression of any targets on fixed features X [n, p], judged by five folds. Of each four training folds,
///     w = argmin ‖Y − ȳ − Z·w‖²/n + λ‖w‖²,   Z = the features less their mean, over their deviation, on these folds
/// (Hoerl and Kennard, "Ridge regression", Technometrics 1970). One λ for all columns: the one with the least error
/// when each of the four folds is predicted from the other three, and of equals the largest. A feature that is constant
/// on the training folds counts as 0.
///
/// All that does not depend on the targets is decomposed once, ZᵀZ/n = V·diag(e)·Vᵀ, for the five unions of four folds
/// and the ten of three. For targets, everything then follows from the products XᵀY of each fold: the error of fold v,
///     ‖Y_v − ȳ‖² − 2·Σ w_i·a_i + Σ w_i·w_j·(VᵀZ_vᵀZ_vV)_ij·(C·Cᵀ)_ij,   C = VᵀZᵀY/n,  a = diag(VᵀZ_vᵀ(Y_v − ȳ)·Cᵀ),
/// with w_i = 1/(e_i + λ), costs r² operations for each λ and never forms a prediction; r <= p is the rank of Z.
class CrossValidation {
 public:
  /// Row order[i] belongs to fold i mod 5, the order being a permutation drawn from the seed. Throws
  /// std::invalid_argument when there are fewer than kFewestRows rows or a number is not finite.
  CrossValidation(const Doubles& features, uint64_t seed);

  /// n
  Index rows() const { return rows_; }
  /// [n], the fold of each row.
  std::vector<Index> FoldOfEachRow() const;

  /// Predicts targets [n, q] out of sample. Row i of the features belongs to row rows[i] of the targets. Runs on the
  /// calling thread.
  Explained Predict(const Doubles& targets, const std::vector<Index>& rows) const;

 private:
  // The rows of a fold, and sums over them.
  struct Fold {
    std::vector<Index> rows;
    Doubles features;       // Xᵀ [p, rows]
    std::vector<double> x;  // [p]
    Doubles xx;             // XᵀX [p, p]

    double count() const { return static_cast<double>(rows.size()); }
  };
  struct TargetSums;
  struct Validated {
    Index fold;
    Doubles gram;  // VᵀZᵀZV [r, r] of its rows
  };
  // What is trained on all folds but one or two, and those.
  struct Training {
    std::array<bool, kFolds> uses;
    double count;
    std::vector<double> mean;  // [p], of the features
    Doubles turn;              // Vᵀ·diag(1/deviation) [r, p], for the r eigenvalues that are not 0
    Doubles weights;           // w [r, kPenalties]
    std::vector<Validated> validated;
  };

  static Fold MakeFold(const Doubles& features, std::vector<Index> rows);
  Training Train(Index out, Index also_out) const;
  std::vector<TargetSums> SumTargets(const Doubles& targets, const std::vector<Index>& rows) const;
  std::vector<std::vector<Explained>> Errors(const Training& training, const std::vector<TargetSums>& sums) const;

  Index rows_, width_;           // n, p
  std::vector<Fold> folds_;      // [5]
  std::vector<Training> outer_;  // [5], without fold i
  std::vector<Training> inner_;  // [10], without folds i and j
};

}  // namespace ampgrad::corpus
