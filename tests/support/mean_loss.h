#pragma once

#include <vector>

#include "autograd/ops.h"

namespace ampgrad {

/// The mean over all targets that are not ignored.
inline Var MeanCrossEntropy(const Var& logits, const std::vector<int>& targets) {
  return ops::CrossEntropy(logits, targets, ops::CountTargets(targets));
}

}  // namespace ampgrad
