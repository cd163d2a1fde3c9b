#pragma once

#include <cstdint>
#include <vector>

#include "tests/audit/findings.h"

namespace ampgrad::audit {

/// Kernels in Real on every instruction set of this CPU against their definitions in double, each element held to a
/// first-order bound of its own rounding errors, at sizes around the vector widths. Meant for the float build.
std::vector<KernelFinding> AuditKernels(uint64_t seed);

}  // namespace ampgrad::audit
