#pragma once

#include <string>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// All findings as JSON. A number that is not finite becomes null, and its finding has "passed": false. The slope of a
/// straight op is null as well, since it says nothing.
std::string FormatJson(const Findings& findings);

}  // namespace ampgrad::audit
