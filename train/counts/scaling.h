#pragma once

#include <string>
#include <vector>

#include "train/counts/figure.h"

namespace ampgrad::train {

/// A row of the papers' scaling tables, as arithmetic: all that can be said of a model without a run.
struct ScalingRow {
  std::string model;
  std::string source;  // what the paper calls this K
  Index width = 0, k = 0;
  Index scores_two = 0, scores_all = 0;  // of the last two layers, of all; blocks alone, down-projections transposed
  Ratio trained = {};                    // the latter as a part of the unique parameters
  Ratio like_for_like = {};              // two layers' matrices over their scores: d/K
  Ratio with_head = {};                  // those and the head over the same scores: S76's 112 ×
};

std::vector<ScalingRow> ScalingRows(const PaperModels& models);

/// The rows as a table of at most 100 columns, under a head that names each denominator.
std::string FormatScaling(const std::vector<ScalingRow>& rows);

}  // namespace ampgrad::train
