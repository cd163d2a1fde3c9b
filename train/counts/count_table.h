#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "train/counts/counts.h"

namespace ampgrad::train {

/// What is counted, and how it was asked for.
struct CountRequest {
  std::string rows, layers;  // the words of --rows and --layers
  std::vector<Index> ks, ranks;
};

/// The counts as text of at most 100 columns, with a column for each K. Every share and ratio names both its numbers.
std::string FormatCounts(const ModelShape& shape, const Counts& counts, const CountRequest& request);

/// The same numbers as an object.
nlohmann::ordered_json CountsJson(const ModelShape& shape, const Counts& counts, const CountRequest& request);

}  // namespace ampgrad::train
