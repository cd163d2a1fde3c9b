#pragma once

#include <string>
#include <vector>

#include "ct/basis.h"
#include "train/data/batch.h"
#include "train/methods/scope.h"

namespace ampgrad::train {

/// What is lost when the scores of one matrix are cut to their first component.
struct CutScores {
  std::string matrix;
  double pr = 0;    // participation ratio of its scores
  double rise = 0;  // of the held-out loss
};

/// What the model loses on `held_out` when the scores S [n, K] of one matrix are cut to their mean row and their first
/// principal component, S₁, and what the basis does not span stays: W − (S − S₁)·B. For each matrix in scope that
/// `rows` selects, with the participation ratio of its scores; k is at most the vectors of the basis. `base` stays as
/// it is. S62 calls a matrix whose scores have a ratio of about 1 crystallizable.
std::vector<CutScores> CutEachMatrix(models::LanguageModel& base, const Scope& scope, ct::RowsPolicy rows,
                                     const ct::Basis& basis, Index k, const std::vector<Batch>& held_out);

}  // namespace ampgrad::train
