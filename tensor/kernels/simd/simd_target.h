#pragma once

#include <string>
#include <vector>

namespace ampgrad {

/// The instruction sets that the kernels are compiled for and this CPU has, best first: "avx512", "avx2", "neon",
/// "scalar". "amx" comes before them where matrix products may use the tile unit, beside AVX-512.
std::vector<std::string> SimdTargets();

/// The instruction set in use: the best, unless `UseSimdTarget` chose another.
std::string SimdTarget();

/// Uses the named instruction set from here on; "" selects the best. Throws std::invalid_argument for a name that is
/// not in SimdTargets().
void UseSimdTarget(const std::string& name);

}  // namespace ampgrad
