#include "tensor/io/finite.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/thread_pool.h"

namespace ampgrad::io {
namespace {

// Bit masks for the numbers that fit in one word. One added to the lowest bit of an exponent carries into the sign bit
// only if all bits of the exponent are ones. The sign itself is masked out, so the carry goes no further.
struct WordOf {
  uint64_t exponents, ones, signs;
};

WordOf WordOfType(StoredType type) {
  switch (type) {
    case StoredType::kF64:
      return {0x7FF0000000000000, 0x0010000000000000, 0x8000000000000000};
    case StoredType::kF32:
      return {0x7F8000007F800000, 0x0080000000800000, 0x8000000080000000};
    case StoredType::kF16:
      return {0x7C007C007C007C00, 0x0400040004000400, 0x8000800080008000};
    default:
      break;  // BF16
  }
  return {0x7F807F807F807F80, 0x0080008000800080, 0x8000800080008000};
}

// Whether any of the numbers in these bytes is not finite.
bool AnyNotFinite(const WordOf& word, const char* bytes, Index count) {
  uint64_t carries = 0;
  for (Index i = 0; i < count; i += 8) {
    uint64_t numbers = 0;  // missing bytes of the last word are zero, which is finite
    std::memcpy(&numbers, bytes + i, static_cast<size_t>(std::min<Index>(8, count - i)));
    carries |= (numbers & word.exponents) + word.ones;
  }
  return (carries & word.signs) != 0;
}

// Likewise for blocks, which hold such a number if a scale or an offset is one. Then their first number is one too.
Index FirstNotFiniteOfBlocks(StoredType type, const void* data, Index n) {
  constexpr Index kChunk = 1 << 12;  // blocks
  const Index numbers = BlockOf(type).numbers;
  std::atomic<Index> first{n};
  ParallelChunks(n / numbers, kChunk, [&](Index begin, Index end) {
    Real wide[blocks::kRun];
    for (Index i = begin; i < end && i * numbers < first; ++i) {
      blocks::WidenRun(type, data, i * numbers / blocks::kRun, wide);
      if (std::isfinite(wide[0])) continue;
      Index known = first;
      while (i * numbers < known && !first.compare_exchange_weak(known, i * numbers)) {
      }
    }
  });
  return first;
}

}  // namespace

Index FirstNotFinite(StoredType type, const void* numbers, Index n) {
  if (HasBlocks(type)) return FirstNotFiniteOfBlocks(type, numbers, n);
  constexpr Index kChunk = 1 << 18;
  const WordOf word = WordOfType(type);
  const Index size = BytesOf(type);
  const char* bytes = static_cast<const char*>(numbers);
  std::atomic<Index> first_chunk{n};
  ParallelChunks(n, kChunk, [&](Index begin, Index end) {
    if (begin >= first_chunk || !AnyNotFinite(word, bytes + begin * size, (end - begin) * size)) return;
    Index known = first_chunk;
    while (begin < known && !first_chunk.compare_exchange_weak(known, begin)) {
    }
  });
  Index first = first_chunk;
  while (first < n && !AnyNotFinite(word, bytes + first * size, size)) ++first;
  return first;
}

}  // namespace ampgrad::io
