// A right side of blocks: its panels, and its product with a single row.
//
// In a B that is read transposed, columns are rows of blocks in memory. They are taken some vectors of columns at a
// time: a block of each is transposed as bytes, so that a vector holds one number of each column, and widened with a
// vector of the columns' scales.
#if defined(AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_
#undef AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_
#else
#define AMPGRAD_TENSOR_BLOCK_COLUMNS_INL_H_
#endif

#include <algorithm>
#include <type_traits>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "tensor/kernels/gemm/block_strips-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2 && !defined(AMPGRAD_DOUBLE)

constexpr Index kLanes = hn::MaxLanes(D());

// What a block has beside its codes.
template <class Block>
constexpr bool kHasIntegers = requires(Block b) {
  b.scales;
};
template <class Block>
constexpr bool kHasM = requires(Block b) {
  b.m;
};
template <class Block>
constexpr bool kHasDmin = requires(Block b) {
  b.dmin;
};

// A block of each of kColumns columns, transposed: codes by number, scales by column.
template <class Block, Index kColumns>
struct TransposedBlocks {
  using Scale = std::conditional_t<std::is_same_v<Block, blocks::Nf4>, float, uint16_t>;
  HWY_ALIGN Scale d[kColumns];
  HWY_ALIGN Scale m[kColumns];  // or dmin
  Transposed<16, kColumns> integers;
  Transposed<BlockOf(Block::kType).numbers, kColumns> codes;

  HWY_INLINE void Read(const ColumnBlocks<Block, kColumns>& columns) {
#pragma GCC unroll 8
    for (Index c = 0; c < kColumns; ++c) {
      const Block& b = columns.of(c);
      if constexpr (std::is_same_v<Block, blocks::Nf4>) {
        d[c] = b.absmax;
      } else {
        d[c] = b.d.bits;
      }
      if constexpr (kHasM<Block>) m[c] = b.m.bits;
      if constexpr (kHasDmin<Block>) m[c] = b.dmin.bits;
    }
    if constexpr (kHasIntegers<Block>) ReadIntegers(columns, integers);
    ReadCodes(columns, codes);
  }

  static V Wide(const float* from) { return hn::Load(D(), from); }
  static V Wide(const uint16_t* from) {
    const hn::Rebind<hwy::float16_t, D> d16;
    return hn::PromoteTo(D(), hn::Load(d16, reinterpret_cast<const hwy::float16_t*>(from)));
  }
  // The scale of numbers 16·half.. of a run, for the columns from `column` on.
  V ScaleOf(Index run, Index half, Index column) const {
    const V scale = Wide(d + column);
    if constexpr (!kHasIntegers<Block>) return scale;
    if constexpr (kHasDmin<Block>) return hn::Mul(scale, FromBytes(D(), integers.at[run] + column));
    return hn::Mul(scale, FromBytes(D(), reinterpret_cast<const int8_t*>(integers.at[2 * run + half] + column)));
  }
  V OffsetOf(Index run, Index column) const {
    if constexpr (kHasM<Block>) return Wide(m + column);
    if constexpr (!kHasDmin<Block>) return hn::Set(D(), -0.0f);
    return hn::Neg(hn::Mul(Wide(m + column), FromBytes(D(), integers.at[8 + run] + column)));
  }
};

// Widens a run of kVectors vectors of columns, and calls take(k, v, numbers) for each k of it and each vector v.
template <Index kVectors, class Block, class Take>
HWY_INLINE void WidenTile(const TransposedBlocks<Block, kVectors * kLanes>& tile, Index run, Take take) {
  V scale[kVectors], offset[kVectors];
  for (Index half = 0; half < 2; ++half) {
#pragma GCC unroll 4
    for (Index v = 0; v < kVectors; ++v) {
      scale[v] = tile.ScaleOf(run, half, v * kLanes);
      offset[v] = tile.OffsetOf(run, v * kLanes);
    }
#pragma GCC unroll 4
    for (Index k = 16 * half; k < 16 * half + 16; ++k) {
      V values[kVectors];
      ValuesOf<Block>(tile.codes.at[run * kRun + k], values);
#pragma GCC unroll 4
      for (Index v = 0; v < kVectors; ++v) take(k, v, hn::MulAdd(values[v], scale[v], offset[v]));
    }
  }
}

// The same for numbers begin..end, whole runs, of columns that lie `stride` blocks apart from `column` on; k counts
// from `begin`. From `soon` on, unless null, as many bytes as are read here are fetched into the cache.
template <Index kVectors, class Block, class Take>
HWY_INLINE void WidenColumns(const Block* column, Index stride, Index begin, Index end, const char* soon, Take take) {
  constexpr Index kBytes = kVectors * kLanes * static_cast<Index>(sizeof(Block)) / kRunsOf<Block>;  // of a run
  TransposedBlocks<Block, kVectors * kLanes> tile;
  for (Index at = begin; at < end; at += kRun) {
    const Index block = at / kRun / kRunsOf<Block>, run = at / kRun % kRunsOf<Block>;
    if (soon != nullptr) {
      for (Index byte = 0; byte < kBytes; byte += 64) hwy::Prefetch(soon + byte);
      soon += kBytes;
    }
    if (at == begin || run == 0) {
      tile.Read({reinterpret_cast<const char*>(column + block), stride * static_cast<Index>(sizeof(Block))});
    }
    WidenTile<kVectors>(tile, run, [&](Index k, Index v, V numbers) HWY_ATTR { take(at - begin + k, v, numbers); });
  }
}

// c = init + a [k] · B [k, kVectors vectors of columns]; the sums are those of the micro-kernel, in its order.
template <Index kVectors, class Block>
void RowTile(Index k, const kernels::Operand& a, const kernels::Operand& b, const Block* column, const Real* init,
             Real* c) {
  const D d;
  const Index stride = b.stride / BlockOf(Block::kType).numbers, a_stride = a.transposed ? a.stride : 1;
  const char* soon = reinterpret_cast<const char*>(column + kVectors * kLanes * stride);  // the next tile
  for (Index k0 = 0; k0 < k; k0 += kernels::kDepth) {
    const Index depth = std::min(kernels::kDepth, k - k0), begin = b.skipped + k0;
    const Real* from = a.At(0, k0).real();
    V sums[kVectors];
#pragma GCC unroll 4
    for (Index v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
    WidenColumns<kVectors>(column, stride, begin, begin + depth, soon, [&](Index i, Index v, V numbers) HWY_ATTR {
      sums[v] = hn::MulAdd(hn::Set(d, from[i * a_stride]), numbers, sums[v]);
    });
    soon += kVectors * kLanes * BytesOf(Block::kType, depth);
    const Real* start = k0 > 0 ? c : init;
#pragma GCC unroll 4
    for (Index v = 0; v < kVectors; ++v) {
      const V sum = start ? hn::Add(hn::LoadU(d, start + v * kLanes), sums[v]) : sums[v];
      hn::StoreU(sum, d, c + v * kLanes);
    }
  }
}

// Whether columns can be taken in tiles: runs are whole.
inline bool TakesTiles(const kernels::Operand& b, Index depth) {
  return b.transposed && b.skipped % kRun == 0 && depth % kRun == 0;
}

// sums [runs · 32] += a [kRows] · B [kRows, ..], B's rows `stride` blocks apart, from run `first` of each on.
template <Index kRows, class Block>
HWY_INLINE void AddRows(const Real* a, Index a_stride, const Block* row, Index stride, Index first, Index runs,
                        Real* sums) {
  constexpr Index kBytes = static_cast<Index>(sizeof(Block)) / kRunsOf<Block>;  // of a run
  const D d;
  V factors[kRows];
#pragma GCC unroll 4
  for (Index r = 0; r < kRows; ++r) factors[r] = hn::Set(d, a[r * a_stride]);
  // In line, so that below what the runs of a block share is computed once.
  const auto add = [&](const Block* block, Index run) HWY_ATTR __attribute__((always_inline)) {
    V numbers[kRun / kLanes];
#pragma GCC unroll 4
    for (Index v = 0; v < kRun / kLanes; ++v) numbers[v] = hn::Load(d, sums + v * kLanes);
#pragma GCC unroll 4
    for (Index r = 0; r < kRows; ++r) {
      hwy::Prefetch(reinterpret_cast<const char*>(block + (kRows + r) * stride) + run * kBytes);
      const UnpackedRun<Block> unpacked(block[r * stride], run);
#pragma GCC unroll 4
      for (Index v = 0; v < kRun / kLanes; ++v) {
        numbers[v] = hn::MulAdd(factors[r], unpacked.At(d, v * kLanes), numbers[v]);
      }
    }
#pragma GCC unroll 4
    for (Index v = 0; v < kRun / kLanes; ++v) hn::Store(numbers[v], d, sums + v * kLanes);
    sums += kRun;
  };
  for (Index run = first; run < first + runs;) {
    const Block* block = row + run / kRunsOf<Block>;
    const Index from = run % kRunsOf<Block>, to = std::min(kRunsOf<Block>, from + first + runs - run);
    run += to - from;
    if (to - from < kRunsOf<Block>) {
      for (Index i = from; i < to; ++i) add(block, i);
    } else {
#pragma GCC unroll 8
      for (Index i = 0; i < kRunsOf<Block>; ++i) add(block, i);
    }
  }
}

// Runs whose sums stay in the nearest cache.
constexpr Index kMostRuns = 64;

// c = init + a [k] · B [k, runs · 32], B not transposed, from run `first` of its rows on; at most kMostRuns. The sums
// are those of the micro-kernel, in its order.
template <class Block>
void RowOfRows(Index k, const kernels::Operand& a, const Block* row, Index stride, Index first, Index runs,
               const Real* init, Real* c) {
  const D d;
  const Index a_stride = a.transposed ? a.stride : 1;
  for (Index k0 = 0; k0 < k; k0 += kernels::kDepth) {
    const Index end = std::min(k, k0 + kernels::kDepth);
    HWY_ALIGN Real sums[kMostRuns * kRun] = {};
    Index i = k0;
    for (; i + 4 <= end; i += 4) AddRows<4>(a.At(0, i).real(), a_stride, row + i * stride, stride, first, runs, sums);
    for (; i < end; ++i) AddRows<1>(a.At(0, i).real(), a_stride, row + i * stride, stride, first, runs, sums);
    const Real* start = k0 > 0 ? c : init;
    for (Index j = 0; j < runs * kRun; j += kLanes) {
      const V sum = hn::Load(d, sums + j);
      hn::StoreU(start ? hn::Add(hn::LoadU(d, start + j), sum) : sum, d, c + j);
    }
  }
}

template <class Block>
Index RowProductOf(Index n, Index k, const kernels::Operand& a, const kernels::Operand& b, const Block* row,
                   const Real* init, Real* c) {
  if (k == 0 || (b.transposed ? !TakesTiles(b, k) : b.skipped % kRun != 0)) return 0;
  const Index stride = b.stride / BlockOf(Block::kType).numbers;
  Index done = 0;
  const auto start = [&] { return init == nullptr ? nullptr : init + done; };
  if (!b.transposed) {
    while (done + kRun <= n) {
      const Index runs = std::min(kMostRuns, (n - done) / kRun);
      RowOfRows(k, a, row, stride, (b.skipped + done) / kRun, runs, start(), c + done);
      done += runs * kRun;
    }
    return done;
  }
  for (; done + 4 * kLanes <= n; done += 4 * kLanes) RowTile<4>(k, a, b, row + done * stride, start(), c + done);
  for (; done + 2 * kLanes <= n; done += 2 * kLanes) RowTile<2>(k, a, b, row + done * stride, start(), c + done);
  return done;
}

// c [n] = init + a [k] · B [k, n] for the first columns; returns how many. The rest needs panels.
inline Index BlocksRowProduct(Index n, Index k, const kernels::Operand& a, const kernels::Operand& b, const Real* init,
                              Real* c) {
  return blocks::WithBlocks(b.type, b.data,
                            [&](const auto* row) HWY_ATTR { return RowProductOf(n, k, a, b, row, init, c); });
}

#else

inline bool TakesTiles(const kernels::Operand&, Index) { return false; }
inline Index BlocksRowProduct(Index, Index, const kernels::Operand&, const kernels::Operand&, const Real*, Real*) {
  return 0;
}

#endif

// The first columns of B [depth, n] as those of a panel [depth, width]; if B is read transposed, at most kMaxPanelCols.
template <class Block>
void PackBlocks(const kernels::Operand& b, const Block* row, Index cols, Index depth, Real* panel, Index width) {
  const Index stride = b.stride / BlockOf(Block::kType).numbers;
  if (!b.transposed) {
    for (Index k = 0; k < depth; ++k) {
      WidenNumbers(row + k * stride, b.skipped, b.skipped + cols, panel + k * width);
    }
    return;
  }
#if HWY_TARGET <= HWY_AVX2 && !defined(AMPGRAD_DOUBLE)
  if (TakesTiles(b, depth) && cols == 2 * kLanes) {
    return WidenColumns<2>(row, stride, b.skipped, b.skipped + depth, nullptr,
                           [&](Index k, Index v, V numbers)
                               HWY_ATTR { hn::StoreU(numbers, D(), panel + k * width + v * kLanes); });
  }
#endif
  // Widened and transposed a few k at a time.
  constexpr Index kSome = 2 * kRun;
  HWY_ALIGN Real wide[kMaxPanelCols * kSome];
  for (Index k = 0; k < depth; k += kSome) {
    const Index count = std::min(kSome, depth - k);
    for (Index j = 0; j < cols; ++j) {
      WidenNumbers(row + j * stride, b.skipped + k, b.skipped + k + count, wide + j * kSome);
    }
    TransposeMatrix(wide, kSome, cols, count, panel + k * width, width);
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
