#include "tensor/blocks.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace ampgrad::blocks {
namespace {

template <class Block>
constexpr bool Fits() {
  return static_cast<Index>(sizeof(Block)) == BytesOf(Block::kType);
}
static_assert(Fits<Q8_0>() && Fits<Q4_0>() && Fits<Q4_1>() && Fits<Q5_0>() && Fits<Q5_1>());
static_assert(Fits<Q4K>() && Fits<Q5K>() && Fits<Q6K>() && Fits<Nf4>());

int FifthBit(const uint8_t* qh, Index j) { return (qh[j / 8] >> (j % 8) & 1) << 4; }

// Code j of four bits: the lower half of the run lies in the lower bits.
int FourBits(const uint8_t* qs, Index j) { return j < 16 ? qs[j] & 15 : qs[j - 16] >> 4; }

// Code j of run `run` of a block.
int CodeOf(const Q8_0& b, Index, Index j) { return b.qs[j]; }
int CodeOf(const Q4_0& b, Index, Index j) { return FourBits(b.qs, j) - 8; }
int CodeOf(const Q4_1& b, Index, Index j) { return FourBits(b.qs, j); }
int CodeOf(const Q5_0& b, Index, Index j) { return (FourBits(b.qs, j) | FifthBit(b.qh, j)) - 16; }
int CodeOf(const Q5_1& b, Index, Index j) { return FourBits(b.qs, j) | FifthBit(b.qh, j); }
int CodeOf(const Q4K& b, Index run, Index j) { return b.qs[run / 2 * 32 + j] >> (run % 2 * 4) & 15; }
int CodeOf(const Q5K& b, Index run, Index j) {
  return (b.qs[run / 2 * 32 + j] >> (run % 2 * 4) & 15) | (b.qh[j] >> run & 1) << 4;
}
int CodeOf(const Q6K& b, Index run, Index j) {
  const Index half = run / 4, quarter = run % 4;
  const int low = b.ql[64 * half + quarter % 2 * 32 + j] >> (quarter / 2 * 4) & 15;
  return (low | (b.qh[32 * half + j] >> (2 * quarter) & 3) << 4) - 32;
}
int CodeOf(const Nf4& b, Index, Index j) { return b.qs[j / 2] >> (j % 2 == 0 ? 4 : 0) & 15; }

template <class Block>
Real ValueOf(int code) {
  if constexpr (std::is_same_v<Block, Nf4>) return kNf4Values[code];
  return static_cast<Real>(code);
}

// The number of largest size. Throws for numbers that are not finite.
float Largest(const float* x) {
  float largest = 0;
  for (Index j = 0; j < kRun; ++j) {
    if (!std::isfinite(x[j])) {
      throw std::invalid_argument("[quantise] expected finite numbers, found " + std::to_string(x[j]));
    }
    if (std::abs(x[j]) > std::abs(largest)) largest = x[j];
  }
  return largest;
}

Half ScaleOf(float d, float largest) {
  const Half half = ToHalf(d);
  if (std::isfinite(Widen(half))) return half;
  throw std::invalid_argument("[quantise] expected a largest number whose scale is a half-precision number, found " +
                              std::to_string(largest));
}

// 1/d; 0 where d is zero, or so small that it becomes zero as a half.
float Inverse(float d) { return std::isfinite(1 / d) ? 1 / d : 0; }

void QuantiseBlock(const float* x, Q8_0& to) {
  const float largest = Largest(x), d = std::abs(largest) / 127, inverse = Inverse(d);
  to.d = ScaleOf(d, largest);
  for (Index j = 0; j < kRun; ++j) to.qs[j] = static_cast<int8_t>(std::round(x[j] * inverse));
}

void QuantiseBlock(const float* x, Q4_0& to) {
  const float largest = Largest(x), d = largest / -8, inverse = Inverse(d);
  to.d = ScaleOf(d, largest);
  const auto code = [&](Index j) { return std::min(15, static_cast<int>(x[j] * inverse + 8.5f)); };
  for (Index j = 0; j < 16; ++j) to.qs[j] = static_cast<uint8_t>(code(j) | code(j + 16) << 4);
}

void QuantiseBlock(const float* x, Nf4& to) {
  to.absmax = std::abs(Largest(x));
  const auto code = [&](Index j) {
    if (to.absmax == 0) return 7;
    const float scaled = x[j] / to.absmax;
    int below = 0;
    while (below < 15 && (kNf4Values[below] + kNf4Values[below + 1]) / 2 < scaled) ++below;
    return below;
  };
  for (Index i = 0; i < 16; ++i) to.qs[i] = static_cast<uint8_t>(code(2 * i) << 4 | code(2 * i + 1));
}

template <class Block>
void QuantiseAs(const float* x, Index n, void* to) {
  for (Index i = 0; i < n / kRun; ++i) QuantiseBlock(x + i * kRun, static_cast<Block*>(to)[i]);
}

}  // namespace

void WidenRun(StoredType type, const void* row, Index run, Real* to) {
  WithBlocks(type, row, [&](const auto* blocks) {
    using Block = std::remove_cvref_t<decltype(*blocks)>;
    constexpr Index kRuns = BlockOf(Block::kType).numbers / kRun;
    const Block& block = blocks[run / kRuns];
    const Scaling s = ScalingOf(block, run % kRuns);
    for (Index j = 0; j < kRun; ++j) to[j] = ValueOf<Block>(CodeOf(block, run % kRuns, j)) * s.scale[j / 16] + s.offset;
  });
}

void Quantise(StoredType type, const float* x, Index n, void* to) {
  if (type == StoredType::kQ8_0) return QuantiseAs<Q8_0>(x, n, to);
  if (type == StoredType::kQ4_0) return QuantiseAs<Q4_0>(x, n, to);
  if (type == StoredType::kNf4) return QuantiseAs<Nf4>(x, n, to);
  throw std::invalid_argument(std::string("[quantise] expected Q8_0, Q4_0 or NF4, found ") + ToString(type));
}

}  // namespace ampgrad::blocks
