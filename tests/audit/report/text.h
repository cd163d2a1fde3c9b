#pragma once

#include <string>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// The findings for a terminal of 100 columns. The last line is the verdict; it names the first failures.
std::string FormatText(const Findings& findings);

}  // namespace ampgrad::audit
