#pragma once

#include <cstdint>

namespace ampgrad {

/// The number type of every tensor, chosen when the library is built: `float` in the shipped library, `double` in the
/// audit library, which is built from the same sources with AMPGRAD_DOUBLE defined.
#ifdef AMPGRAD_DOUBLE
using Real = double;
#else
using Real = float;
#endif

/// Sizes and indices: signed, so that differences are safe, and 64 bits wide.
using Index = int64_t;

}  // namespace ampgrad
