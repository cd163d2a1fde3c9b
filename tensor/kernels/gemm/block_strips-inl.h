// The codes and the integer scales of blocks that lie in columns of a right side, for many columns at once: vector k
// holds number k of each column. Blocks are transposed as they are packed, a strip of sixteen bytes of every column at
// a time; the bytes of a strip are unpacked afterwards, when each vector holds those of all columns.
#if defined(AMPGRAD_TENSOR_BLOCK_STRIPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_BLOCK_STRIPS_INL_H_
#undef AMPGRAD_TENSOR_BLOCK_STRIPS_INL_H_
#else
#define AMPGRAD_TENSOR_BLOCK_STRIPS_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"
#include "tensor/kernels/gemm/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2 && !defined(AMPGRAD_DOUBLE)

// A block of each of kColumns columns.
template <class Block, Index kColumns>
struct ColumnBlocks {
  const char* first;
  Index stride;  // bytes from one column to the next

  const Block& of(Index column) const { return *reinterpret_cast<const Block*>(first + column * stride); }
};

// Byte k or code k of each column, k by k.
template <Index kRows, Index kColumns>
struct Transposed {
  HWY_ALIGN uint8_t at[kRows][kColumns];
};

// Columns that a vector of bytes holds.
template <Index kColumns>
using DColumns = hn::FixedTag<uint8_t, std::min<size_t>(kColumns, HWY_MAX_BYTES)>;

// The column at place p where codes are placed (kPlaced): column 8v + 4h + i lies at place 16h + 4v + i.
constexpr Index PlacedColumn(Index p) { return p % 16 / 4 * 8 + p / 16 * 4 + p % 4; }

// Calls take(i, c, bytes) for the sixteen bytes i from `offset` on in each block, with a vector of bytes i of the
// columns from c on. Four times, vectors i and i + 8 are interleaved to vectors 2i and 2i + 1. Each time, the upper bit
// of a vector's number moves to the lower end of the place within the vector, and the upper bit of the place to the
// lower end of the vector's number. With four columns a to d, and four bytes in place of sixteen, twice is enough:
//   a0 a1 a2 a3     a0 c0 a1 c1     a0 b0 c0 d0
//   b0 b1 b2 b3     a2 c2 a3 c3     a1 b1 c1 d1
//   c0 c1 c2 c3     b0 d0 b1 d1     a2 b2 c2 d2
//   d0 d1 d2 d3     b2 d2 b3 d3     a3 b3 c3 d3
template <class Block, Index kColumns, class Take>
HWY_INLINE void ForStrip(const ColumnBlocks<Block, kColumns>& columns, Index offset, Take take) {
  const DColumns<kColumns> d;
  const hn::FixedTag<uint8_t, 16> d16;
  using Vector = hn::Vec<decltype(d)>;
  constexpr Index kGroup = static_cast<Index>(hn::MaxLanes(DColumns<kColumns>()));
  for (Index c = 0; c < kColumns; c += kGroup) {
    const auto load = [&](Index place) HWY_ATTR {
      const Index column = kPlaced<Block, kColumns> ? PlacedColumn(place) : c + place;
      const char* from = columns.first + column * columns.stride + offset;
      return hn::LoadU(d16, reinterpret_cast<const uint8_t*>(from));
    };
    Vector x[16], y[16];
#pragma GCC unroll 16
    for (Index i = 0; i < 16; ++i) {
      if constexpr (kGroup == 16) {
        x[i] = load(i);
      } else if constexpr (kGroup == 32) {
        x[i] = hn::Combine(d, load(i + 16), load(i));
      } else {
        const hn::Half<decltype(d)> half;
        x[i] = hn::Combine(d, hn::Combine(half, load(i + 48), load(i + 32)), hn::Combine(half, load(i + 16), load(i)));
      }
    }
#pragma GCC unroll 2
    for (int twice = 0; twice < 2; ++twice) {
#pragma GCC unroll 8
      for (Index i = 0; i < 8; ++i) {
        y[2 * i] = hn::InterleaveLower(d, x[i], x[i + 8]);
        y[2 * i + 1] = hn::InterleaveUpper(d, x[i], x[i + 8]);
      }
#pragma GCC unroll 8
      for (Index i = 0; i < 8; ++i) {
        x[2 * i] = hn::InterleaveLower(d, y[i], y[i + 8]);
        x[2 * i + 1] = hn::InterleaveUpper(d, y[i], y[i + 8]);
      }
    }
#pragma GCC unroll 16
    for (Index i = 0; i < 16; ++i) take(i, c, x[i]);
  }
}

template <Index kColumns, Index kRows>
HWY_INLINE auto LoadBytes(const Transposed<kRows, kColumns>& from, Index row, Index c) {
  return hn::Load(DColumns<kColumns>(), from.at[row] + c);
}
template <Index kColumns, Index kRows, class Vector>
HWY_INLINE void StoreBytes(Vector v, Transposed<kRows, kColumns>& to, Index row, Index c) {
  hn::Store(v, DColumns<kColumns>(), to.at[row] + c);
}

// The bytes `offset`.. of each block as they are, kRows of them.
template <Index kRows, class Block, Index kColumns>
HWY_INLINE void ReadBytes(const ColumnBlocks<Block, kColumns>& columns, Index offset, Transposed<kRows, kColumns>& to) {
  for (Index row = 0; row < kRows; row += 16) {
    ForStrip(columns, offset + row, [&](Index i, Index c, auto bytes) HWY_ATTR { StoreBytes(bytes, to, row + i, c); });
  }
}

// The codes of all numbers of a block, for every type.
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q8_0, kColumns>& columns, Transposed<32, kColumns>& to) {
  ReadBytes(columns, offsetof(blocks::Q8_0, qs), to);
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q4_0, kColumns>& columns, Transposed<32, kColumns>& to) {
  ForStrip(columns, offsetof(blocks::Q4_0, qs), [&](Index i, Index c, auto bytes) HWY_ATTR {
    StoreBytes(Minus(Lower(bytes), 8), to, i, c);
    StoreBytes(Minus(Upper(bytes), 8), to, i + 16, c);
  });
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q4_1, kColumns>& columns, Transposed<32, kColumns>& to) {
  ForStrip(columns, offsetof(blocks::Q4_1, qs), [&](Index i, Index c, auto bytes) HWY_ATTR {
    StoreBytes(Lower(bytes), to, i, c);
    StoreBytes(Upper(bytes), to, i + 16, c);
  });
}
// Q5_0, with middle 16, and Q5_1, with 0. The strip of the fifth bits ends within qs.
template <class Block, Index kColumns>
HWY_INLINE void ReadFiveBits(const ColumnBlocks<Block, kColumns>& columns, uint8_t middle,
                             Transposed<32, kColumns>& to) {
  Transposed<16, kColumns> qh;
  ReadBytes(columns, offsetof(Block, qh), qh);
  ForStrip(columns, offsetof(Block, qs), [&](Index i, Index c, auto bytes) HWY_ATTR {
    const auto low = hn::Or(Lower(bytes), SixteenWhere(LoadBytes(qh, i / 8, c), i % 8));
    const auto high = hn::Or(Upper(bytes), SixteenWhere(LoadBytes(qh, 2 + i / 8, c), i % 8));
    StoreBytes(Minus(low, middle), to, i, c);
    StoreBytes(Minus(high, middle), to, i + 16, c);
  });
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q5_0, kColumns>& columns, Transposed<32, kColumns>& to) {
  ReadFiveBits(columns, 16, to);
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q5_1, kColumns>& columns, Transposed<32, kColumns>& to) {
  ReadFiveBits(columns, 0, to);
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Nf4, kColumns>& columns, Transposed<32, kColumns>& to) {
  ForStrip(columns, offsetof(blocks::Nf4, qs), [&](Index i, Index c, auto bytes) HWY_ATTR {
    StoreBytes(Upper(bytes), to, 2 * i, c);
    StoreBytes(Lower(bytes), to, 2 * i + 1, c);
  });
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q4K, kColumns>& columns, Transposed<256, kColumns>& to) {
  for (Index byte = 0; byte < 128; byte += 16) {
    const Index k = byte / 32 * 64 + byte % 32;
    ForStrip(columns, offsetof(blocks::Q4K, qs) + byte, [&](Index i, Index c, auto bytes) HWY_ATTR {
      StoreBytes(Lower(bytes), to, k + i, c);
      StoreBytes(Upper(bytes), to, k + 32 + i, c);
    });
  }
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q5K, kColumns>& columns, Transposed<256, kColumns>& to) {
  Transposed<32, kColumns> qh;
  ReadBytes(columns, offsetof(blocks::Q5K, qh), qh);
  for (Index byte = 0; byte < 128; byte += 16) {
    const Index group = byte / 32, l = byte % 32, k = group * 64 + l;
    ForStrip(columns, offsetof(blocks::Q5K, qs) + byte, [&](Index i, Index c, auto bytes) HWY_ATTR {
      const auto bits = LoadBytes(qh, l + i, c);
      StoreBytes(hn::Or(Lower(bytes), SixteenWhere(bits, 2 * group)), to, k + i, c);
      StoreBytes(hn::Or(Upper(bytes), SixteenWhere(bits, 2 * group + 1)), to, k + 32 + i, c);
    });
  }
}
template <Index kColumns>
HWY_INLINE void ReadCodes(const ColumnBlocks<blocks::Q6K, kColumns>& columns, Transposed<256, kColumns>& to) {
  Transposed<64, kColumns> qh;
  ReadBytes(columns, offsetof(blocks::Q6K, qh), qh);
  for (Index byte = 0; byte < 128; byte += 16) {
    const Index half = byte / 64, pair = byte % 64 / 32, l = byte % 32, k = 128 * half + 32 * pair + l;
    ForStrip(columns, offsetof(blocks::Q6K, ql) + byte, [&](Index i, Index c, auto bytes) HWY_ATTR {
      const auto two_bits = hn::ShiftRightSame(LoadBytes(qh, 32 * half + l + i, c), static_cast<int>(2 * pair));
      const auto three = hn::Set(DColumns<kColumns>(), 3);
      const auto low = hn::ShiftLeft<4>(hn::And(two_bits, three));
      const auto high = hn::ShiftLeft<4>(hn::And(Upper(two_bits), three));
      StoreBytes(Minus(hn::Or(Lower(bytes), low), 32), to, k + i, c);
      StoreBytes(Minus(hn::Or(Upper(bytes), high), 32), to, k + 64 + i, c);
    });
  }
}

// The integer scales of the runs: those of Q4_K and Q5_K in rows 0..7, their minima in rows 8..15.
template <class Block, Index kColumns>
HWY_INLINE void ReadIntegers(const ColumnBlocks<Block, kColumns>& columns, Transposed<16, kColumns>& to) {
  ReadBytes(columns, offsetof(Block, scales), to);
  if constexpr (requires(Block b) { b.dmin; }) {
    const DColumns<kColumns> d;
    const auto six_bits = hn::Set(d, 63);
    for (Index c = 0; c < kColumns; c += static_cast<Index>(hn::Lanes(d))) {
      for (Index j = 0; j < 4; ++j) {
        const auto s = LoadBytes(to, j, c), m = LoadBytes(to, j + 4, c), both = LoadBytes(to, j + 8, c);
        const auto upper = [](auto v) HWY_ATTR { return hn::ShiftLeft<4>(hn::ShiftRight<6>(v)); };
        StoreBytes(hn::And(s, six_bits), to, j, c);
        StoreBytes(hn::Or(Lower(both), upper(s)), to, j + 4, c);
        StoreBytes(hn::And(m, six_bits), to, j + 8, c);
        StoreBytes(hn::Or(Upper(both), upper(m)), to, j + 12, c);
      }
    }
  }
}

#endif

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
