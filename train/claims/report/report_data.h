#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "train/claims/claims.h"

namespace ampgrad::train {

/// Every number of the report: {"studies": […], "claims": […], "scale": {…}}. An arm, and a row of a table, has the
/// lines of runs.jsonl that it comes from, and a claim those of all its arms, by study.
nlohmann::ordered_json ReportJson(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings);

/// A line for each figure: study, table ("arm", the name of a table, or a claim's id), name, figure, verdict, mean,
/// low, high, seeds, missing, diverged, and the lines of runs.jsonl; of a figure over several studies report.json has
/// them.
std::string ReportCsv(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings);

}  // namespace ampgrad::train
