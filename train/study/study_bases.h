#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "train/study/plans/arm.h"

namespace ampgrad::train {

/// The bases of a study's arms, each computed once: the first vectors of a large one are the basis of a smaller K.
class StudyBases {
 public:
  /// `largest_k` is the largest K or rank of any arm, `rows` are those that the universal basis decomposes.
  StudyBases(models::LanguageModel& base, Index largest_k, const ct::RowSample& sample, ct::RowsPolicy rows)
      : base_(base), largest_k_(largest_k), sample_(sample), rows_(rows) {}

  /// Those of an arm; `batches` make a basis of gradients.
  const Bases& Of(const Arm& arm, uint64_t seed, const std::vector<Batch>& batches);
  /// The universal basis with the largest K.
  const std::shared_ptr<const ct::Basis>& Universal();

 private:
  models::LanguageModel& base_;
  Index largest_k_;
  ct::RowSample sample_;
  ct::RowsPolicy rows_;
  // By rows, kind, K and seed; 0 where it does not matter.
  std::map<std::tuple<ct::RowsPolicy, ct::BasisKind, Index, uint64_t>, Bases> made_;
};

}  // namespace ampgrad::train
