#include "tensor/bf16.h"

#include <bit>
#include <cmath>

#include "tensor/thread_pool.h"

namespace ampgrad {

Real Widen(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

Bf16 ToBf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<Bf16>((bits >> 16) | 0x40);  // quiet, lest what is left reads as infinity
  const uint32_t odd = (bits >> 16) & 1;
  return static_cast<Bf16>((bits + 0x7FFF + odd) >> 16);
}

Tensor Bf16Tensor::Widened() const {
  Tensor wide = Tensor::Uninitialized(shape_);
  constexpr Index kChunk = 1 << 16;
  ParallelChunks(wide.size(), kChunk, [&](Index i, Index end) {
    for (; i < end; ++i) wide[i] = Widen(data()[i]);
  });
  return wide;
}

}  // namespace ampgrad
