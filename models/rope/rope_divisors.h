#pragma once

#include <optional>

#include "models/rope/rope.h"

/// Llama-3's scaling of rotary frequencies as GGUF files hold it, in rope_freqs.weight: a divisor for each frequency.
namespace ampgrad::models {

/// What divides each frequency [D/2] of `rope.theta` alone to give those of `rope`; 1 where they stay.
Tensor DivisorsOf(const RopeConfig& rope, Index head_dim);

/// The scaling of type llama3 with these divisors, each to 1e-5 of its size, or none. Scalings whose low_freq_factor,
/// high_freq_factor and original context have the same ratios are one function; this is the one of the smallest
/// low_freq_factor, an integer.
std::optional<RopeConfig> RopeOfDivisors(const Tensor& divisors, double theta);

}  // namespace ampgrad::models
