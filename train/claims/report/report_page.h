#pragma once

#include <string>
#include <vector>

#include "train/claims/claims.h"

namespace ampgrad::train {

/// The report as one page that opens anywhere: the verdicts, and for each study its figures, its arms in a table that
/// sorts, and its settings. `command` is how to make it again.
std::string ReportPage(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings,
                       const std::string& command);

}  // namespace ampgrad::train
