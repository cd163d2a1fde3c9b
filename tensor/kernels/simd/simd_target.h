#pragma once

#include <string>
#include <vector>

namespace ampgrad {

/// Names of the instruction sets that the kernels are compiled for and this CPU has, best first, as Highway calls them
/// ("AVX3" is AVX-512), before them "AMX" where matrix products may use the tile unit.
std::vector<std::string> SimdTargets();

/// The one in use: the best, unless chosen.
std::string SimdTarget();

/// Uses the named instruction set from here on; "" is the best again. For tests and measurements. Throws
/// std::invalid_argument for a name that is not in SimdTargets().
void UseSimdTarget(const std::string& name);

}  // namespace ampgrad
