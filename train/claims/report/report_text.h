#pragma once

#include <string>
#include <vector>

#include "train/claims/claims.h"

namespace ampgrad::train {

/// The report as text of at most report::kColumns columns: for each study its arms by plan, its tables and its rates;
/// the studies beside each other; the verdict on every claim; and each study's settings. A figure stands with its
/// interval, and with the seeds that are missing or diverged.
std::string FormatReport(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings);

/// What the report does not say of itself: what intervals cover, and which figure has what denominator.
extern const char* const kReportLegend;

}  // namespace ampgrad::train
