#pragma once

#include <string>
#include <vector>

namespace ampgrad {

/// The instruction sets that the kernels are compiled for and this CPU has, best first, by Highway's names ("AVX3" is
/// AVX-512). "AMX" comes before them where matrix products may use the tile unit.
std::vector<std::string> SimdTargets();

/// The instruction set in use: the best, unless `UseSimdTarget` chose another.
std::string SimdTarget();

/// Uses the named instruction set from here on; "" selects the best. For tests and measurements. Throws
/// std::invalid_argument for a name that is not in SimdTargets().
void UseSimdTarget(const std::string& name);

}  // namespace ampgrad
