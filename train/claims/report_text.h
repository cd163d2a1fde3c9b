#pragma once

#include <string>
#include <vector>

#include "train/claims/claims.h"

namespace ampgrad::train {

/// The report as text of at most report::kColumns columns: for each study its arms, K curves, marginal returns, rates
/// and gradient capture; the studies beside each other where there are several; the verdict on every claim; and each
/// study's settings. A figure stands with its interval, and with the seeds that are missing or diverged.
std::string FormatReport(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings);

/// "87.3 (85.1 to 89.5)" in per cent, whole from 100 on; "–" without a mean, the mean alone without an interval.
std::string ShareText(const Interval& interval, int decimals = 1);
/// "2.1034 ±0.0021", where ± is half of the interval.
std::string LossText(const Interval& interval);

/// What the report does not say of itself: what intervals cover, and which figure has what denominator.
extern const char* const kReportLegend;

}  // namespace ampgrad::train
