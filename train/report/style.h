#pragma once

namespace ampgrad::report {

/// The style sheet of the HTML report: light and dark by the reader's setting, readable on a phone and on paper.
extern const char* const kReportStyle;

}  // namespace ampgrad::report
