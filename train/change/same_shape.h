#pragma once

#include "nn/modules.h"

namespace ampgrad::train {

/// Throws std::runtime_error where two models have not the same matrices and vectors, naming the first that differs, in
/// the order of the model before.
void RequireSameShape(const nn::Parts& before, const nn::Parts& after);

}  // namespace ampgrad::train
