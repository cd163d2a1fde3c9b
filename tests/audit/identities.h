#pragma once

#include <cstdint>
#include <vector>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// What must hold of right gradients whatever their numbers are: of the ops and a model ("structure"), and of the chain
/// from the loss to the scores, from both starts ("chain").
std::vector<IdentityFinding> AuditIdentities(uint64_t seed);

}  // namespace ampgrad::audit
