#pragma once

#include <cstdint>

#include "tensor/bf16.h"

/// Numbers as they lie in files.
namespace ampgrad::io {

/// An IEEE 754 half-precision number: 1 sign bit, 5 bits of exponent, 10 of fraction.
struct Half {
  uint16_t bits;
};

/// The number itself; exact, infinities and NaN included.
float HalfToFloat(Half x);

/// Index of the first of the `n` numbers at `x` that is NaN or infinite; `n` when there is none. On all threads, at the
/// speed of memory.
Index FirstNotFinite(const Bf16* x, Index n);

}  // namespace ampgrad::io
