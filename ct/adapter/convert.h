#pragma once

#include <stdexcept>

#include "ct/adapter/low_rank_adapter.h"
#include "nn/forms/chain.h"
#include "nn/modules.h"

namespace ampgrad::ct {

/// A matrix whose change is no low-rank update of its base.
class FullRankError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The forms of a model's matrices as updates that other programs know, and the matrices and vectors that train as a
/// whole. Throws FullRankError for the first matrix that has no such update.
LowRankAdapter ToLowRank(const nn::Parts& parts);

/// Gives matrices the form of their updates, on the weights that they have now, and the whole tensors their values; all
/// of them train, and no other vector does. Throws std::runtime_error for a name that the model does not have.
void ApplyLowRank(const LowRankAdapter& adapter, const nn::Parts& parts, nn::Chain chain);

/// Forms that do not train but are quick to apply token by token: low-rank updates stay so, other forms become the
/// matrix that they make.
void FreezeForms(const nn::Parts& parts);

}  // namespace ampgrad::ct
