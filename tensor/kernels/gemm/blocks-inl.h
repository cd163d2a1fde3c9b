// Widens blocks of quantised numbers to Real, by the formulas of tensor/blocks.h and with their bits. The codes of a
// run are unpacked as bytes first.
#if defined(AMPGRAD_TENSOR_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_BLOCKS_INL_H_
#undef AMPGRAD_TENSOR_BLOCKS_INL_H_
#else
#define AMPGRAD_TENSOR_BLOCKS_INL_H_
#endif

#include <algorithm>
#include <type_traits>

#include "hwy/highway.h"
#include "tensor/blocks.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/simd/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

using blocks::kRun;

// Runs of a block.
template <class Block>
constexpr Index kRunsOf = BlockOf(Block::kType).numbers / kRun;

// Whether columns are transposed as bytes: vectors of 8 or 16 floats.
constexpr bool kByteTiles = sizeof(Real) == sizeof(float) && hn::MaxLanes(D()) >= 8;

#if defined(AMPGRAD_DOUBLE) || HWY_TARGET == HWY_SCALAR

// Numbers first..last of a run.
template <class Block>
void WidenWithin(const Block& block, Index run, Index first, Index last, Real* to) {
  Real wide[kRun];
  blocks::WidenRun(Block::kType, &block, run, wide);
  std::copy(wide + first, wide + last, to);
}

#else

using D8 = hn::FixedTag<uint8_t, 16>;
using V8 = hn::Vec<D8>;

// The codes of a run, 0..15 and 16..31, as bytes; negative ones in two's complement.
struct Codes {
  V8 first, last;
};

inline V8 Bytes(uint8_t byte) { return hn::Set(D8(), byte); }
inline V8 LowerBits(V8 v) { return hn::And(v, Bytes(15)); }
inline V8 UpperBits(V8 v) { return hn::ShiftRight<4>(v); }
// 16 in every byte of the mask.
template <class M>
V8 SixteenWhere(M mask) {
  return hn::IfThenElseZero(mask, Bytes(16));
}
inline Codes Minus(Codes c, uint8_t byte) { return {hn::Sub(c.first, Bytes(byte)), hn::Sub(c.last, Bytes(byte))}; }

inline Codes FourBits(const uint8_t* qs) {
  const V8 v = hn::LoadU(D8(), qs);
  return {LowerBits(v), UpperBits(v)};
}

// Bit j of two bytes, as 16 or 0 in byte j.
inline V8 FifthBits(const uint8_t* qh) {
  alignas(16) static constexpr uint8_t kByte[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  alignas(16) static constexpr uint8_t kBit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const hn::FixedTag<uint16_t, 8> d16;
  const V8 both = hn::BitCast(D8(), hn::Set(d16, static_cast<uint16_t>(qh[0] | qh[1] << 8)));
  return SixteenWhere(hn::TestBit(hn::TableLookupBytes(both, hn::Load(D8(), kByte)), hn::Load(D8(), kBit)));
}
inline Codes FiveBits(const uint8_t* qh, const uint8_t* qs) {
  const Codes c = FourBits(qs);
  return {hn::Or(c.first, FifthBits(qh)), hn::Or(c.last, FifthBits(qh + 2))};
}

// The lower or the upper four bits of 32 bytes.
inline Codes Nibbles(const uint8_t* qs, bool upper) {
  const V8 v = hn::LoadU(D8(), qs), w = hn::LoadU(D8(), qs + 16);
  return upper ? Codes{UpperBits(v), UpperBits(w)} : Codes{LowerBits(v), LowerBits(w)};
}

inline Codes CodesOf(const blocks::Q8_0& b, Index) {
  const uint8_t* qs = reinterpret_cast<const uint8_t*>(b.qs);
  return {hn::LoadU(D8(), qs), hn::LoadU(D8(), qs + 16)};
}
inline Codes CodesOf(const blocks::Q4_0& b, Index) { return Minus(FourBits(b.qs), 8); }
inline Codes CodesOf(const blocks::Q4_1& b, Index) { return FourBits(b.qs); }
inline Codes CodesOf(const blocks::Q5_0& b, Index) { return Minus(FiveBits(b.qh, b.qs), 16); }
inline Codes CodesOf(const blocks::Q5_1& b, Index) { return FiveBits(b.qh, b.qs); }
inline Codes CodesOf(const blocks::Q4K& b, Index run) { return Nibbles(b.qs + run / 2 * 32, run % 2); }
inline Codes CodesOf(const blocks::Q5K& b, Index run) {
  const Codes c = Nibbles(b.qs + run / 2 * 32, run % 2);
  const V8 bit = Bytes(static_cast<uint8_t>(1 << run));
  return {hn::Or(c.first, SixteenWhere(hn::TestBit(hn::LoadU(D8(), b.qh), bit))),
          hn::Or(c.last, SixteenWhere(hn::TestBit(hn::LoadU(D8(), b.qh + 16), bit)))};
}
inline Codes CodesOf(const blocks::Q6K& b, Index run) {
  const Index half = run / 4, quarter = run % 4;
  const Codes c = Nibbles(b.ql + 64 * half + quarter % 2 * 32, quarter / 2);
  const auto upper = [&](const uint8_t* qh) HWY_ATTR {
    const V8 two = hn::And(hn::ShiftRightSame(hn::LoadU(D8(), qh), static_cast<int>(2 * quarter)), Bytes(3));
    return hn::ShiftLeft<4>(two);
  };
  const uint8_t* qh = b.qh + 32 * half;
  return Minus({hn::Or(c.first, upper(qh)), hn::Or(c.last, upper(qh + 16))}, 32);
}
inline Codes CodesOf(const blocks::Nf4& b, Index) {
  const Codes c = FourBits(b.qs);
  return {hn::InterleaveLower(D8(), c.last, c.first), hn::InterleaveUpper(D8(), c.last, c.first)};
}

inline void StoreCodes(Codes c, uint8_t* to) {
  hn::StoreU(c.first, D8(), to);
  hn::StoreU(c.last, D8(), to + 16);
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
  constexpr size_t kLanes = hn::MaxLanes(D());
  const float* table = blocks::kNf4Values;
  if constexpr (kLanes == 16) {
    const auto code = hn::PromoteTo(D32(), hn::LoadU(hn::Rebind<uint8_t, D>(), codes));
    return hn::TableLookupLanes(hn::LoadU(d, table), hn::IndicesFromVec(d, code));
  } else if constexpr (kLanes == 8) {
    const auto code = hn::PromoteTo(D32(), hn::LoadU(hn::Rebind<uint8_t, D>(), codes));
    const auto seven = hn::Set(D32(), 7);
    const auto index = hn::IndicesFromVec(d, hn::And(code, seven));
    return hn::IfThenElse(hn::RebindMask(d, hn::Gt(code, seven)), hn::TableLookupLanes(hn::LoadU(d, table + 8), index),
                          hn::TableLookupLanes(hn::LoadU(d, table), index));
  } else {
    HWY_ALIGN float values[kLanes];
    for (size_t i = 0; i < kLanes; ++i) values[i] = table[codes[i]];
    return hn::Load(d, values);
  }
}

// value(code) of a vector of codes.
template <class Block>
V ValuesOf(D d, const uint8_t* codes) {
  if constexpr (std::is_same_v<Block, blocks::Nf4>) return Nf4Values(d, codes);
  return FromBytes(d, reinterpret_cast<const int8_t*>(codes));
}

// Numbers first..last of a run.
template <class Block>
void WidenWithin(const Block& block, Index run, Index first, Index last, Real* to) {
  const D d;
  const Index lanes = LanesOf(d);
  HWY_ALIGN uint8_t codes[kRun];
  StoreCodes(CodesOf(block, run), codes);
  const blocks::Scaling s = ScalingOf(block, run);
  const auto vector = [&](Index i) HWY_ATTR {
    return hn::MulAdd(ValuesOf<Block>(d, codes + i), hn::Set(d, s.scale[i / 16]), hn::Set(d, s.offset));
  };
  if (first % lanes == 0 && last % lanes == 0) {
    for (Index i = first; i < last; i += lanes, to += lanes) hn::StoreU(vector(i), d, to);
  } else {
    HWY_ALIGN Real wide[kRun];
    for (Index i = 0; i < kRun; i += lanes) hn::Store(vector(i), d, wide + i);
    std::copy(wide + first, wide + last, to);
  }
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
