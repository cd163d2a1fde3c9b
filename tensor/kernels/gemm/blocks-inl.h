// Widens blocks of quantised numbers to Real, by the formulas of tensor/blocks.h and with their bits. The codes of a
// run are unpacked as bytes first.
#if defined(AMPGRAD_TENSOR_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_BLOCKS_INL_H_
#undef AMPGRAD_TENSOR_BLOCKS_INL_H_
#else
#define AMPGRAD_TENSOR_BLOCKS_INL_H_
#endif

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "tensor/blocks.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

using blocks::kRun;

// Columns of the widest panel: two vectors (gemm.cc).
constexpr Index kMaxPanelCols = 2 * HWY_MAX_BYTES / sizeof(Real);

// Runs of a block.
template <class Block>
constexpr Index kRunsOf = BlockOf(Block::kType).numbers / kRun;

#if HWY_TARGET <= HWY_AVX2 && !defined(AMPGRAD_DOUBLE)

using D8 = hn::FixedTag<uint8_t, kRun>;
using V8 = hn::Vec<D8>;
using D8Half = hn::Half<D8>;

inline V8 Bytes(uint8_t byte) { return hn::Set(D8(), byte); }

// Of vectors of bytes, whatever their length: the lower and the upper four bits; 16 in every byte of v that has a bit
// of `bits`; v less a number.
template <class Vector>
Vector Lower(Vector v) {
  return hn::And(v, hn::Set(hn::DFromV<Vector>(), 15));
}
template <class Vector>
Vector Upper(Vector v) {
  return hn::ShiftRight<4>(v);
}
template <class Vector>
Vector SixteenWhere(Vector v, Vector bits) {
  return hn::IfThenElseZero(hn::TestBit(v, bits), hn::Set(hn::DFromV<Vector>(), 16));
}
template <class Vector>
Vector SixteenWhere(Vector v, Index bit) {
  return SixteenWhere(v, hn::Set(hn::DFromV<Vector>(), static_cast<uint8_t>(1 << bit)));
}
template <class Vector>
Vector Minus(Vector v, uint8_t byte) {
  return hn::Sub(v, hn::Set(hn::DFromV<Vector>(), byte));
}

inline V8 FourBits(const uint8_t* qs) {
  const hn::Vec<D8Half> v = hn::LoadU(D8Half(), qs);
  return Lower(hn::Combine(D8(), hn::ShiftRight<4>(v), v));
}

// Bit j of four bytes, as 16 or 0 in byte j.
inline V8 FifthBits(const uint8_t* qh) {
  alignas(kRun) static constexpr uint8_t kByte[kRun] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                                        2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3};
  alignas(8) static constexpr uint8_t kBit[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  uint32_t four;
  uint64_t bits;
  std::memcpy(&four, qh, sizeof(four));
  std::memcpy(&bits, kBit, sizeof(bits));
  const V8 bytes = hn::BitCast(D8(), hn::Set(hn::Repartition<uint32_t, D8>(), four));
  return SixteenWhere(hn::TableLookupBytes(bytes, hn::Load(D8(), kByte)),
                      hn::BitCast(D8(), hn::Set(hn::Repartition<uint64_t, D8>(), bits)));
}

// The codes of a run as bytes; negative ones in two's complement.
inline V8 CodesOf(const blocks::Q8_0& b, Index) { return hn::LoadU(D8(), reinterpret_cast<const uint8_t*>(b.qs)); }
inline V8 CodesOf(const blocks::Q4_0& b, Index) { return Minus(FourBits(b.qs), 8); }
inline V8 CodesOf(const blocks::Q4_1& b, Index) { return FourBits(b.qs); }
inline V8 CodesOf(const blocks::Q5_0& b, Index) { return Minus(hn::Or(FourBits(b.qs), FifthBits(b.qh)), 16); }
inline V8 CodesOf(const blocks::Q5_1& b, Index) { return hn::Or(FourBits(b.qs), FifthBits(b.qh)); }
inline V8 CodesOf(const blocks::Q4K& b, Index run) {
  const V8 v = hn::LoadU(D8(), b.qs + run / 2 * kRun);
  return run % 2 == 0 ? Lower(v) : Upper(v);
}
inline V8 CodesOf(const blocks::Q5K& b, Index run) {
  const V8 v = hn::LoadU(D8(), b.qs + run / 2 * kRun);
  return hn::Or(run % 2 == 0 ? Lower(v) : Upper(v), SixteenWhere(hn::LoadU(D8(), b.qh), run));
}
inline V8 CodesOf(const blocks::Q6K& b, Index run) {
  const Index half = run / 4, quarter = run % 4;
  const V8 v = hn::LoadU(D8(), b.ql + 64 * half + quarter % 2 * kRun);
  const V8 two_bits = hn::ShiftRightSame(hn::LoadU(D8(), b.qh + kRun * half), static_cast<int>(2 * quarter));
  return Minus(hn::Or(quarter < 2 ? Lower(v) : Upper(v), hn::ShiftLeft<4>(hn::And(two_bits, Bytes(3)))), 32);
}
inline V8 CodesOf(const blocks::Nf4& b, Index) {
  const hn::Repartition<uint16_t, D8> d16;
  const auto both = hn::PromoteTo(d16, hn::LoadU(D8Half(), b.qs));
  const auto second = hn::And(hn::ShiftLeft<8>(both), hn::Set(d16, 0x0F00));
  return hn::BitCast(D8(), hn::Or(hn::ShiftRight<4>(both), second));
}

using D32 = hn::RebindToSigned<D>;

// A vector of bytes as numbers.
inline V FromBytes(D d, const int8_t* bytes) {
  return hn::ConvertTo(d, hn::PromoteTo(D32(), hn::LoadU(hn::Rebind<int8_t, D>(), bytes)));
}
inline V FromBytes(D d, const uint8_t* bytes) {
  return hn::ConvertTo(d, hn::PromoteTo(D32(), hn::LoadU(hn::Rebind<uint8_t, D>(), bytes)));
}

// NF4's values of a vector of codes.
inline V Nf4Values(D d, const uint8_t* codes) {
  const auto code = hn::PromoteTo(D32(), hn::LoadU(hn::Rebind<uint8_t, D>(), codes));
  const float* table = blocks::kNf4Values;
  if constexpr (hn::MaxLanes(D()) == 16) {
    return hn::TableLookupLanes(hn::LoadU(d, table), hn::IndicesFromVec(d, code));
  } else {
    const auto seven = hn::Set(D32(), 7);
    const auto index = hn::IndicesFromVec(d, hn::And(code, seven));
    return hn::IfThenElse(hn::RebindMask(d, hn::Gt(code, seven)), hn::TableLookupLanes(hn::LoadU(d, table + 8), index),
                          hn::TableLookupLanes(hn::LoadU(d, table), index));
  }
}

// value(code) of a vector of codes.
template <class Block>
V ValuesOf(D d, const uint8_t* codes) {
  if constexpr (std::is_same_v<Block, blocks::Nf4>) return Nf4Values(d, codes);
  return FromBytes(d, reinterpret_cast<const int8_t*>(codes));
}

// Whether codes of kColumns columns lie where FourNf4Values takes them from.
template <class Block, Index kColumns>
constexpr bool kPlaced = (HWY_TARGET == HWY_AVX2) && (kColumns == 32) && std::is_same<Block, blocks::Nf4>();

#if HWY_TARGET == HWY_AVX2

// Byte b of each of NF4's values.
struct Nf4Bytes {
  alignas(16) uint8_t at[4][16];
};
constexpr Nf4Bytes kNf4Bytes = [] {
  Nf4Bytes bytes{};
  for (int code = 0; code < 16; ++code) {
    const uint32_t bits = std::bit_cast<uint32_t>(blocks::kNf4Values[code]);
    for (int b = 0; b < 4; ++b) bytes.at[b][code] = static_cast<uint8_t>(bits >> 8 * b);
  }
  return bytes;
}();

// NF4's values of four vectors of codes. A table of sixteen floats is too long for one lookup, but a table of sixteen
// bytes is not: each byte of the values is looked up, and the four bytes are interleaved. That works within the halves
// of a vector, so codes 8v.. of vector v of values lie at places 4v.. of the lower half, and codes 8v + 4.. at those of
// the upper half.
inline void FourNf4Values(const uint8_t* codes, V (&values)[4]) {
  const hn::Repartition<uint16_t, D8> pairs;
  const V8 placed = hn::Load(D8(), codes);
  const auto bytes = [&](int b)
                         HWY_ATTR { return hn::TableLookupBytes(hn::LoadDup128(D8(), kNf4Bytes.at[b]), placed); };
  const V8 b0 = bytes(0), b1 = bytes(1), b2 = bytes(2), b3 = bytes(3);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(D8(), b0, b1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(D8(), b2, b3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(D8(), b0, b1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(D8(), b2, b3));
  values[0] = hn::BitCast(D(), hn::InterleaveLower(pairs, low01, low23));
  values[1] = hn::BitCast(D(), hn::InterleaveUpper(pairs, low01, low23));
  values[2] = hn::BitCast(D(), hn::InterleaveLower(pairs, high01, high23));
  values[3] = hn::BitCast(D(), hn::InterleaveUpper(pairs, high01, high23));
}

#endif

// The same of kVectors vectors.
template <class Block, Index kVectors>
HWY_INLINE void ValuesOf(const uint8_t* codes, V (&values)[kVectors]) {
#if HWY_TARGET == HWY_AVX2
  if constexpr (kPlaced<Block, kVectors * hn::MaxLanes(D())>) return FourNf4Values(codes, values);
#endif
#pragma GCC unroll 4
  for (Index v = 0; v < kVectors; ++v) values[v] = ValuesOf<Block>(D(), codes + v * hn::MaxLanes(D()));
}

// A run whose codes are unpacked.
template <class Block>
struct UnpackedRun {
  HWY_ALIGN uint8_t codes[kRun];
  blocks::Scaling scaling;

  HWY_INLINE UnpackedRun(const Block& block, Index run) : scaling(ScalingOf(block, run)) {
    hn::Store(CodesOf(block, run), D8(), codes);
  }
  // The vector of its numbers from i on, which lies within one half of the run.
  HWY_INLINE V At(D d, Index i) const {
    return hn::MulAdd(ValuesOf<Block>(d, codes + i), hn::Set(d, scaling.scale[i / 16]), hn::Set(d, scaling.offset));
  }
};

// Numbers first..last of a run.
template <class Block>
void WidenWithin(const Block& block, Index run, Index first, Index last, Real* to) {
  const D d;
  const Index lanes = LanesOf(d);
  const UnpackedRun<Block> unpacked(block, run);
  if (first % lanes == 0 && last % lanes == 0) {
    for (Index i = first; i < last; i += lanes, to += lanes) hn::StoreU(unpacked.At(d, i), d, to);
  } else {
    HWY_ALIGN Real wide[kRun];
    for (Index i = 0; i < kRun; i += lanes) hn::Store(unpacked.At(d, i), d, wide + i);
    std::copy(wide + first, wide + last, to);
  }
}

#else

// Numbers first..last of a run.
template <class Block>
void WidenWithin(const Block& block, Index run, Index first, Index last, Real* to) {
  Real wide[kRun];
  blocks::WidenRun(Block::kType, &block, run, wide);
  std::copy(wide + first, wide + last, to);
}

#endif

// Numbers begin..end of a row.
template <class Block>
void WidenNumbers(const Block* row, Index begin, Index end, Real* to) {
  while (begin < end) {
    const Index run = begin / kRun, next = std::min(end, (run + 1) * kRun);
    WidenWithin(row[run / kRunsOf<Block>], run % kRunsOf<Block>, begin - run * kRun, next - run * kRun, to);
    to += next - begin;
    begin = next;
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
