#pragma once

#include <string>
#include <vector>

#include "tests/audit/report/summary.h"

namespace ampgrad::audit {

/// The errors of every op against its bound, as dots on a log scale.
std::string ErrorPlot(const std::vector<OpSummary>& ops);

/// For each op that is not straight the remainder over the step, log by log: of its first input that fails, else of the
/// first that is not straight. Empty if all ops are straight.
std::string TaylorPlots(const std::vector<OpSummary>& ops);

}  // namespace ampgrad::audit
