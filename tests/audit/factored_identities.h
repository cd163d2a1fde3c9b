#pragma once

#include <cstdint>
#include <vector>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// The explicit and the factored chain against each other, from both starts.
std::vector<IdentityFinding> AuditFactored(uint64_t seed);

}  // namespace ampgrad::audit
