#pragma once

#include "ct/basis.h"
#include "models/language_model.h"
#include "train/methods/scope.h"

namespace ampgrad::train {

/// How much of the space that LoRA reads lies inside span(B): ‖P·Bᵀ‖²/r for orthonormal rows P [r, d] that span those
/// of A [r, d] and as many vectors B [r, d] of the basis; r/d by chance. The mean over the matrices in scope that read
/// rows of width d and have an update; NaN without one.
double LoraOverlap(models::LanguageModel& model, const Scope& scope, const ct::Basis& basis);

}  // namespace ampgrad::train
