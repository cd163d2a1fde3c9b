#pragma once

#include <string>
#include <vector>

#include "train/claims/report/report_tables.h"

/// What the tables of a report consist of.
namespace ampgrad::train {

// Cells, each with its figure; "–" without one.
TableCell Words(std::string text);  // has no figure
TableCell Number(double value, const char* format);
TableCell Count(Index count);
TableCell Percent(double share, const char* format = "%.2f");
TableCell Loss(const Interval& interval);                                        // LossText
TableCell ShareCell(const Interval& interval, int decimals = 1);                 // ShareText
TableCell Short(const Interval& interval, int decimals = 1);                     // ShortShareText
TableCell Spread(const Interval& interval, const char* mean, const char* half);  // formats of the mean and of ±
TableCell Change(const Interval& interval);  // a difference of losses, with its sign

/// What a row lacks: seeds of its losses or of its efficiency, or the reason why that is not printed.
std::vector<std::string> Lacks(const Interval& loss, const Interval& efficiency);

/// K/d; NaN without the width.
double PartOf(const StudyInput& study, Index k);

// Tables beside what the papers print; without rows where a study has nothing to stand there.
ReportTable PrintedCurve(const StudyInput& study);
ReportTable Decomposition(const StudyInput& study);
ReportTable ComparisonTable(const StudyInput& study);

}  // namespace ampgrad::train
