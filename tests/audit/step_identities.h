#pragma once

#include <cstdint>
#include <vector>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// What must hold of the gradients of a whole step: they add up over micro-batches and over passes, and have the same
/// bits for any number of threads.
std::vector<IdentityFinding> AuditSteps(uint64_t seed);

}  // namespace ampgrad::audit
