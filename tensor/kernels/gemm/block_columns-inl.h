// A right side of blocks: its panels, and its product with a single row.
//
// In a B that is read transposed, columns are rows of blocks in memory. They are taken in tiles of one run of as many
// columns as a panel has: their codes are transposed as bytes, and a vector then holds one number of each column.
#if defined(AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_
#undef AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_
#else
#define AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_
#endif

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "tensor/kernels/gemm/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

#if defined(AMPGRAD_DOUBLE) || HWY_TARGET == HWY_SCALAR
constexpr bool kTakesTiles = false;
#else
// Vectors of 8 or 16 floats; shorter ones do not fill a vector of bytes.
constexpr bool kTakesTiles = hn::MaxLanes(D()) >= 8;

// Columns of a tile: two vectors.
constexpr Index kTileCols = kTakesTiles ? 2 * hn::MaxLanes(D()) : 16;

// to[k * kTileCols + c] = from[c * kRun + k] for sixteen c and all k of a run. Four times, vectors i and i + 8 are
// interleaved to vectors 2i and 2i + 1. Each time, the upper bit of a vector's number moves to the lower end of the
// place within the vector, and the upper bit of the place to the lower end of the vector's number.
inline void TransposeBytes(const uint8_t* from, uint8_t* to) {
  const hn::FixedTag<uint8_t, kRun> d;
  const hn::Half<decltype(d)> half;
  hn::Vec<decltype(d)> x[16], y[16];
#pragma GCC unroll 16
  for (Index i = 0; i < 16; ++i) x[i] = hn::LoadU(d, from + i * kRun);
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
  for (Index k = 0; k < 16; ++k) {
    hn::StoreU(hn::LowerHalf(half, x[k]), half, to + k * kTileCols);
    hn::StoreU(hn::UpperHalf(half, x[k]), half, to + (k + 16) * kTileCols);
  }
}

// One block of every column of a tile.
template <class Block>
struct TileBlocks {
  const char* first;  // of the first column
  Index stride;       // bytes from one column to the next

  const Block& of(Index column) const { return *reinterpret_cast<const Block*>(first + column * stride); }
};

// What scales the runs of TileBlocks, as vectors over the columns. K types have integer scales of their runs besides.
struct TileScales {
  HWY_ALIGN float d[kTileCols];
  HWY_ALIGN float m[kTileCols];  // the offset's half
  HWY_ALIGN uint8_t integers[kRun * kTileCols];
};

template <class Member>
void WidenHalves(Member half_of, float* to) {
  HWY_ALIGN uint16_t halves[kTileCols];
#pragma GCC unroll 8
  for (Index c = 0; c < kTileCols; ++c) halves[c] = half_of(c).bits;
  const D d;
  const hn::Rebind<hwy::float16_t, D> d16;
  for (Index c = 0; c < kTileCols; c += LanesOf(d)) {
    hn::Store(hn::PromoteTo(d, hn::Load(d16, reinterpret_cast<const hwy::float16_t*>(halves + c))), d, to + c);
  }
}

// The eight scales and eight minima of six bits, as bytes.
inline void UnpackSixBits(const uint8_t* scales, uint8_t* to) {
  uint32_t s[3];
  std::memcpy(s, scales, sizeof(s));
  const uint32_t unpacked[4] = {s[0] & 0x3F3F3F3F, (s[2] & 0x0F0F0F0F) | (s[0] >> 6 & 0x03030303) << 4,
                                s[1] & 0x3F3F3F3F, (s[2] >> 4 & 0x0F0F0F0F) | (s[1] >> 6 & 0x03030303) << 4};
  std::memcpy(to, unpacked, sizeof(unpacked));
}
inline void IntegersOf(const blocks::Q4K& b, uint8_t* to) { UnpackSixBits(b.scales, to); }
inline void IntegersOf(const blocks::Q5K& b, uint8_t* to) { UnpackSixBits(b.scales, to); }
inline void IntegersOf(const blocks::Q6K& b, uint8_t* to) { std::memcpy(to, b.scales, sizeof(b.scales)); }

template <class Block>
constexpr bool kIsK = BlockOf(Block::kType).numbers > kRun;

template <class Block>
void ReadScales(const TileBlocks<Block>& tile, TileScales& to) {
  if constexpr (std::is_same_v<Block, blocks::Nf4>) {
    for (Index c = 0; c < kTileCols; ++c) to.d[c] = tile.of(c).absmax;
  } else {
    WidenHalves([&](Index c) { return tile.of(c).d; }, to.d);
  }
  if constexpr (requires(Block b) { b.m; }) WidenHalves([&](Index c) { return tile.of(c).m; }, to.m);
  if constexpr (requires(Block b) { b.dmin; }) WidenHalves([&](Index c) { return tile.of(c).dmin; }, to.m);
  if constexpr (kIsK<Block>) {
    HWY_ALIGN uint8_t integers[kTileCols * kRun];
    for (Index c = 0; c < kTileCols; ++c) IntegersOf(tile.of(c), integers + c * kRun);
    for (Index c = 0; c < kTileCols; c += 16) TransposeBytes(integers + c * kRun, to.integers + c);
  }
}

// The scale of numbers 16·half.. of a run, and its offset, for one vector of columns.
template <class Block>
V ScaleOf(const TileScales& s, Index run, Index half, Index column) {
  const D d;
  const V scale = hn::Load(d, s.d + column);
  const uint8_t* integers = s.integers + column;
  if constexpr (std::is_same_v<Block, blocks::Q6K>) {
    return hn::Mul(scale, FromBytes(d, reinterpret_cast<const int8_t*>(integers + (2 * run + half) * kTileCols)));
  } else if constexpr (kIsK<Block>) {
    return hn::Mul(scale, FromBytes(d, integers + run * kTileCols));
  }
  return scale;
}
template <class Block>
V OffsetOf(const TileScales& s, Index run, Index column) {
  const D d;
  if constexpr (requires(Block b) { b.dmin; }) {
    return hn::Neg(hn::Mul(hn::Load(d, s.m + column), FromBytes(d, s.integers + (8 + run) * kTileCols + column)));
  } else if constexpr (requires(Block b) { b.m; }) {
    return hn::Load(d, s.m + column);
  }
  return hn::Set(d, -0.0f);
}

// Calls take(k, left, right) for every k of a run of the tile, with the two vectors of numbers k of its columns.
template <class Block, class Take>
HWY_INLINE void WidenTile(const TileBlocks<Block>& tile, const TileScales& s, Index run, Take take) {
  const D d;
  const Index lanes = LanesOf(d);
  HWY_ALIGN uint8_t rows[kTileCols * kRun];
  HWY_ALIGN uint8_t codes[kRun * kTileCols];
#pragma GCC unroll 4
  for (Index c = 0; c < kTileCols; ++c) StoreCodes(CodesOf(tile.of(c), run), rows + c * kRun);
  for (Index c = 0; c < kTileCols; c += 16) TransposeBytes(rows + c * kRun, codes + c);
  const V left_offset = OffsetOf<Block>(s, run, 0), right_offset = OffsetOf<Block>(s, run, lanes);
  for (Index half = 0; half < 2; ++half) {
    const V left_scale = ScaleOf<Block>(s, run, half, 0), right_scale = ScaleOf<Block>(s, run, half, lanes);
#pragma GCC unroll 4
    for (Index k = 16 * half; k < 16 * half + 16; ++k) {
      const uint8_t* code = codes + k * kTileCols;
      take(k, hn::MulAdd(ValuesOf<Block>(d, code), left_scale, left_offset),
           hn::MulAdd(ValuesOf<Block>(d, code + lanes), right_scale, right_offset));
    }
  }
}

// Calls take(k, left, right) for k = 0..depth of kTileCols columns of which each lies in `stride` bytes; `row` is the
// first of them, and its first `skipped` numbers, whole runs, are skipped.
template <class Block, class Take>
HWY_INLINE void WidenColumns(const Block* row, Index stride, Index skipped, Index depth, Take take) {
  TileScales scales;
  for (Index k0 = 0; k0 < depth; k0 += kRun) {
    const Index at = (skipped + k0) / kRun, run = at % kRunsOf<Block>;
    const TileBlocks<Block> tile{reinterpret_cast<const char*>(row + at / kRunsOf<Block>), stride};
    if (k0 == 0 || run == 0) ReadScales(tile, scales);
    WidenTile(tile, scales, run, [&](Index k, V left, V right) HWY_ATTR { take(k0 + k, left, right); });
  }
}
#endif

// Columns 0..cols of B [depth, n] as the first columns of a panel [depth, width].
template <class Block>
void PackBlocks(const kernels::Operand& b, const Block* row, Index cols, Index depth, Real* panel, Index width) {
  const Index blocks_of_row = b.stride / BlockOf(Block::kType).numbers;
  if (!b.transposed) {
    for (Index k = 0; k < depth; ++k) {
      WidenNumbers(row + k * blocks_of_row, b.skipped, b.skipped + cols, panel + k * width);
    }
    return;
  }
#if !defined(AMPGRAD_DOUBLE) && HWY_TARGET != HWY_SCALAR
  if constexpr (kTakesTiles) {
    if (cols == kTileCols && b.skipped % kRun == 0 && depth % kRun == 0) {
      const Index stride = blocks_of_row * static_cast<Index>(sizeof(Block));
      return WidenColumns(row, stride, b.skipped, depth, [&](Index k, V left, V right) HWY_ATTR {
        hn::StoreU(left, D(), panel + k * width);
        hn::StoreU(right, D(), panel + k * width + LanesOf(D()));
      });
    }
  }
#endif
  constexpr Index kDepth = 64, kMaxCols = 2 * HWY_MAX_BYTES / sizeof(Real);
  HWY_ALIGN Real wide[kMaxCols * kDepth];
  for (Index k = 0; k < depth; k += kDepth) {
    const Index count = std::min(kDepth, depth - k);
    for (Index j = 0; j < cols; ++j) {
      WidenNumbers(row + j * blocks_of_row, b.skipped + k, b.skipped + k + count, wide + j * kDepth);
    }
    TransposeMatrix(wide, kDepth, cols, count, panel + k * width, width);
  }
}

template <class Block>
Index RowProductOfBlocks([[maybe_unused]] Index n, [[maybe_unused]] Index k, const kernels::Operand& a,
                         const kernels::Operand& b, const Block* row, const Real* init, Real* c) {
#if !defined(AMPGRAD_DOUBLE) && HWY_TARGET != HWY_SCALAR
  if constexpr (kTakesTiles) {
    if (k == 0 || !b.transposed || b.skipped % kRun != 0 || k % kRun != 0) return 0;
    const D d;
    const Index lanes = LanesOf(d), blocks_of_row = b.stride / BlockOf(Block::kType).numbers;
    const Index stride = blocks_of_row * static_cast<Index>(sizeof(Block)), a_stride = a.transposed ? a.stride : 1;
    Index done = 0;
    for (; done + kTileCols <= n; done += kTileCols) {
      for (Index k0 = 0; k0 < k; k0 += kernels::kDepth) {
        const Real* from = a.At(0, k0).real();
        V left_sum = hn::Zero(d), right_sum = hn::Zero(d);
        WidenColumns(row + done * blocks_of_row, stride, b.skipped + k0, std::min(kernels::kDepth, k - k0),
                     [&](Index i, V left, V right) HWY_ATTR {
                       const V a_i = hn::Set(d, from[i * a_stride]);
                       left_sum = hn::MulAdd(a_i, left, left_sum);
                       right_sum = hn::MulAdd(a_i, right, right_sum);
                     });
        const Real* start = k0 > 0 ? c : init;
        hn::StoreU(start ? hn::Add(hn::LoadU(d, start + done), left_sum) : left_sum, d, c + done);
        hn::StoreU(start ? hn::Add(hn::LoadU(d, start + done + lanes), right_sum) : right_sum, d, c + done + lanes);
      }
    }
    return done;
  }
#endif
  return 0;
}

// c = init + a [k] · B [k, n] for the first columns; returns how many. The rest needs panels.
inline Index BlocksRowProduct(Index n, Index k, const kernels::Operand& a, const kernels::Operand& b, const Real* init,
                              Real* c) {
  return blocks::WithBlocks(b.type, b.data,
                            [&](const auto* row) HWY_ATTR { return RowProductOfBlocks(n, k, a, b, row, init, c); });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
