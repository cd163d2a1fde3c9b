#include "tensor/io/stored_numbers.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "tensor/thread_pool.h"

namespace ampgrad::io {
namespace {

// Whether any of the `n` numbers at `x` has an exponent of all ones. Four numbers at a time: one added to the lowest bit of
// an exponent carries into the place of the sign only where all eight bits are ones, and never beyond, as the sign itself
// is masked out.
bool AnyNotFinite(const Bf16* x, Index n) {
  constexpr uint64_t kExponents = 0x7F807F807F807F80, kOnes = 0x0080008000800080, kSigns = 0x8000800080008000;
  uint64_t carries = 0;
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    uint64_t four;
    std::memcpy(&four, x + i, sizeof(four));
    carries |= (four & kExponents) + kOnes;
  }
  bool any = (carries & kSigns) != 0;
  for (; i < n; ++i) any = any || (x[i] & 0x7F80) == 0x7F80;
  return any;
}

}  // namespace

float HalfToFloat(Half x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t exponent = (x.bits >> 10) & 0x1F, fraction = x.bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 | fraction << 13);
  const float subnormal = static_cast<float>(fraction) * 0x1p-24f;  // exact: ten bits and a power of two
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
}

Index FirstNotFinite(const Bf16* x, Index n) {
  constexpr Index kChunk = 1 << 18;
  std::atomic<Index> first_chunk{n};
  ParallelChunks(n, kChunk, [&](Index begin, Index end) {
    if (begin >= first_chunk || !AnyNotFinite(x + begin, end - begin)) return;
    Index known = first_chunk;
    while (begin < known && !first_chunk.compare_exchange_weak(known, begin)) {
    }
  });
  Index first = first_chunk;
  while (first < n && (x[first] & 0x7F80) != 0x7F80) ++first;
  return first;
}

}  // namespace ampgrad::io
