#pragma once

#include <cstdint>
#include <vector>

#include "train/corpus/ridge.h"

namespace ampgrad::corpus {

/// Draws of the negative control.
inline constexpr Index kShuffles = 199;

/// A prediction beside those of the same targets with their rows shuffled, which no feature can predict.
struct Prediction {
  Explained observed;
  std::vector<Explained> shuffled;  // [kShuffles]

  /// Pools the targets of another prediction with these, draw by draw.
  void Add(const Prediction& other);

  double r2() const { return observed.r2(); }
  /// Mean of R² over the shuffles.
  double ShuffledMean() const;
  /// The least R² among the shuffles that at least 95 % of them do not exceed.
  double ShuffledTop() const;
  /// The place of the observed R² among all kShuffles + 1, 1 for the highest; ties count against it.
  Index Rank() const;
  /// Rank / (kShuffles + 1): how often shuffled targets do as well (North, Curtis and Sham, 2002).
  double PValue() const;
};

/// Predicts targets [n, q] and 199 shuffles of their rows, each with penalties of its own. Shuffles of the same seed
/// are the same for all targets of n rows. Throws std::invalid_argument when n differs from the rows of the features.
Prediction PredictWithShuffles(const CrossValidation& regression, const Doubles& targets, uint64_t seed);

/// The targets as they are, alone.
Explained PredictInOrder(const CrossValidation& regression, const Doubles& targets);

}  // namespace ampgrad::corpus
