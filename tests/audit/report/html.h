#pragma once

#include <string>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// The findings as one page that needs nothing but itself: no script, no network. Parts without findings are left out.
std::string FormatHtml(const Findings& findings);

}  // namespace ampgrad::audit
