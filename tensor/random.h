#pragma once

#include <array>
#include <cstdint>

#include "tensor/tensor.h"

namespace ampgrad {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11): a keyed bijection
/// of 128-bit counters. It depends on its counter alone and needs no state: number n of a stream is the same whichever
/// thread asks for it, and a resumed run continues where it stopped.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A stream of random numbers identified by a seed and a stream id (its purpose); `n` is the index of the number.
class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  uint64_t Bits(uint64_t n) const;
  /// Uniform in [0, 1), 53 bits.
  double Uniform(uint64_t n) const;
  /// Standard normal (Box-Muller).
  double Normal(uint64_t n) const;
  /// Uniform integer in [0, bound), bound > 0.
  Index Below(uint64_t n, Index bound) const;
  /// A random permutation of 0..size-1 (Fisher-Yates).
  std::vector<Index> Permutation(Index size) const;
  /// A tensor of normal numbers with mean 0 and the given standard deviation.
  Tensor NormalTensor(Shape shape, double stddev) const;

 private:
  uint64_t seed_;
  uint64_t stream_;
};

}  // namespace ampgrad
