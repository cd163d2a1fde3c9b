#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "train/change/weight_change.h"

namespace ampgrad::train {

/// What training changed, in lines of at most report::kColumns: totals, layers, kinds of matrix, the `most` matrices
/// that changed most for their size, and the rows whose scores changed most.
std::string FormatChange(const WeightChange& change, size_t most = 24);

/// The totals, layers, kinds, matrices and rows as a section of a page.
std::string ChangeSection(const WeightChange& change);

/// All of it, every matrix included. A figure that is not a number, such as a change relative to zero, is null.
nlohmann::ordered_json ChangeJson(const WeightChange& change);

}  // namespace ampgrad::train
