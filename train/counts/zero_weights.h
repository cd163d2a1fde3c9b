#pragma once

#include "models/language_model.h"

namespace ampgrad::train {

/// Gives a model of shapes alone zeros for numbers, so that a step of it can be tried for the memory that it takes.
/// Matrices are held in `type`, or in F16 where their rows are no multiple of its blocks, as if they lay in a mapped
/// file; they take no memory. Throws std::invalid_argument for a type that is wider than Real.
void UseZeroWeights(models::LanguageModel& model, StoredType type);

}  // namespace ampgrad::train
