#pragma once

#include <cstdint>
#include <string>

#include "tensor/random.h"

namespace ampgrad::nn {

/// A number for the name of a matrix (FNV-1a), so that each has its own stream of random numbers.
uint64_t StreamOf(const std::string& matrix);

/// The random numbers of a matrix: the same whatever else trains.
inline Random RandomOf(const std::string& matrix, uint64_t seed) { return {seed, StreamOf(matrix)}; }

}  // namespace ampgrad::nn
