#include "tensor/kernels/gemm/gemm_tiles.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "tensor/kernels/gemm/tile_packing.h"
#include "tensor/kernels/simd/tiles.h"

#if AMPGRAD_TILES
#include <immintrin.h>

#include "hwy/base.h"
#endif

// How a product is blocked. As in gemm.cc, a task packs all rows of its A for one step along k, which stay in the L2
// cache, and B one panel of columns at a time, which stays in L1. The unit keeps 32 x 32 sums in four of its eight
// tiles and uses two each for A and B. Between the steps the sums of kChunkCols columns are kept packed in L2, so that
// C itself is written once. The next lines of C are fetched meanwhile, because in training most of C was last used a
// step ago and is not in cache.

namespace ampgrad::kernels {
namespace {

// Depth of a step along k. A panel of B then takes 3 parts x 32 columns x 128 x 2 bytes = 24 KiB, half of a 48 KiB L1
// cache, and 512 rows of A take 384 KiB.
constexpr Index kStepDepth = 128;
// A product up to this depth takes one step. A panel of B then comes from L2, which costs less than storing the sums.
constexpr Index kDeepestStep = 256;
// The sums of 512 rows then take 1 MiB, half of a 2 MiB L2 cache.
constexpr Index kChunkCols = 512;
// For smaller products the packing costs more than the tiles save.
constexpr Index kLeastSide = 48, kLeastDepth = 96;

// Number of panels of `count` rows or columns.
Index Panels(Index count) { return (count + kTilePanel - 1) / kTilePanel; }

// Depth of the steps of a product of depth k.
Index StepDepth(Index k) { return k <= kDeepestStep ? k : kStepDepth; }

// Sizes of the parts of the scratch memory, in floats; two bfloat16 numbers fill one float.
struct Room {
  Index a, b, sums;
};

Room RoomFor(Index m, Index n, Index k) {
  const Index row_panels = Panels(m), col_panels = Panels(std::min(n, kChunkCols));
  const Index panel = TilePanelSize(TileRuns(StepDepth(k)), kTileParts) / 2;
  const Index blocks = k > StepDepth(k) ? row_panels * col_panels : 1;
  return {row_panels * panel, panel, blocks * kTilePanel * kTilePanel};
}

}  // namespace

bool TilesPay(Index m, Index n, Index k) { return std::min(m, n) >= kLeastSide && k >= kLeastDepth; }

Index TileScratchSize(Index m, Index n, Index k) {
  const Room room = RoomFor(m, n, k);
  return room.a + room.b + room.sums;
}

}  // namespace ampgrad::kernels

#if AMPGRAD_TILES

HWY_PUSH_ATTRIBUTES("amx-tile,amx-bf16")
namespace ampgrad::kernels {
namespace {

constexpr uint8_t kRows = kTileSide, kRowBytes = kTileRun * sizeof(Bf16);

// All tiles are full: 16 rows of 64 bytes.
struct alignas(64) Config {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {kRowBytes, kRowBytes, kRowBytes, kRowBytes, kRowBytes, kRowBytes, kRowBytes, kRowBytes};
  uint8_t rows[16] = {kRows, kRows, kRows, kRows, kRows, kRows, kRows, kRows};
};
static_assert(sizeof(Config) == 64);
constinit const Config kConfig;

// The product of a panel of A and a panel of B: to = from + A·B, over `runs` runs of k. Meanwhile the block of C at
// `soon`, unless null, is fetched into L2.
struct PanelProduct {
  const Bf16 *a, *b;
  Index runs;
  Init from;
  float* to;
  Index to_stride;
  const float* soon;
  Index soon_stride;
};

// Tiles 0 to 3 hold the sums, row by row. Tiles 4 and 5 hold A (5 if kTall), tiles 6 and 7 hold B (7 if kWide).
template <bool kTall>
inline void LoadA(const Bf16* a, Index part) {
  _tile_loadd(4, a + part * kTilePartStride, kRowBytes);
  if constexpr (kTall) _tile_loadd(5, a + part * kTilePartStride + kTileSize, kRowBytes);
}

template <bool kWide>
inline void LoadB(const Bf16* b, Index part) {
  _tile_loadd(6, b + part * kTilePartStride, kRowBytes);
  if constexpr (kWide) _tile_loadd(7, b + part * kTilePartStride + kTileSize, kRowBytes);
}

template <bool kTall, bool kWide>
inline void AddProducts() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kWide) _tile_dpbf16ps(1, 4, 7);
  if constexpr (kTall) _tile_dpbf16ps(2, 5, 6);
  if constexpr (kTall && kWide) _tile_dpbf16ps(3, 5, 7);
}

template <bool kTall, bool kWide>
inline void LoadSums(Init from) {
  if (from.data == nullptr) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    return;
  }
  const Index bytes = from.stride * static_cast<Index>(sizeof(float));
  _tile_loadd(0, from.data, bytes);
  if constexpr (kWide) _tile_loadd(1, from.At(0, kTileSide).data, bytes);
  if constexpr (kTall) _tile_loadd(2, from.At(kTileSide, 0).data, bytes);
  if constexpr (kTall && kWide) _tile_loadd(3, from.At(kTileSide, kTileSide).data, bytes);
}

template <bool kTall, bool kWide>
inline void StoreSums(float* to, Index stride) {
  const Index bytes = stride * static_cast<Index>(sizeof(float));
  _tile_stored(0, to, bytes);
  if constexpr (kWide) _tile_stored(1, to + kTileSide, bytes);
  if constexpr (kTall) _tile_stored(2, to + kTileSide * stride, bytes);
  if constexpr (kTall && kWide) _tile_stored(3, to + kTileSide * stride + kTileSide, bytes);
}

// Fetches the share of `p.soon` that belongs to one run: all requests at once would delay those for the panels. GCC
// drops calls of a function that does nothing but this, so it must be inlined.
HWY_INLINE void FetchSoon(const PanelProduct& p, Index run) {
  for (Index i = run * kTilePanel / p.runs; i < (run + 1) * kTilePanel / p.runs; ++i) {
    _mm_prefetch(p.soon + i * p.soon_stride, _MM_HINT_T1);
    _mm_prefetch(p.soon + i * p.soon_stride + kTileSide, _MM_HINT_T1);
  }
}

// This order of the terms loads the fewest tiles.
template <bool kBf16, bool kTall, bool kWide>
void MultiplyPanels(const PanelProduct& p) {
  asm volatile("" ::: "memory");  // GCC does not know that tile loads read memory: packing must come first
  LoadSums<kTall, kWide>(p.from);
  const Bf16 *a = p.a, *b = p.b;
  for (Index run = 0; run < p.runs;
       ++run, a += TilePanelSize(1, kTileParts), b += TilePanelSize(1, kBf16 ? 1 : kTileParts)) {
    if (p.soon) FetchSoon(p, run);
    LoadA<kTall>(a, 2);
    LoadB<kWide>(b, 0);
    AddProducts<kTall, kWide>();  // a₂b₀
    LoadA<kTall>(a, 1);
    AddProducts<kTall, kWide>();  // a₁b₀
    if constexpr (!kBf16) {
      LoadB<kWide>(b, 1);
      AddProducts<kTall, kWide>();  // a₁b₁
    }
    LoadA<kTall>(a, 0);
    AddProducts<kTall, kWide>();  // a₀b₁, or a₀b₀
    if constexpr (!kBf16) {
      LoadB<kWide>(b, 2);
      AddProducts<kTall, kWide>();  // a₀b₂
      LoadB<kWide>(b, 0);
      AddProducts<kTall, kWide>();  // a₀b₀
    }
  }
  StoreSums<kTall, kWide>(p.to, p.to_stride);
  asm volatile("" ::: "memory");
}

using Kernel = void (*)(const PanelProduct&);
constexpr Kernel kKernels[2][2][2] = {{{MultiplyPanels<false, false, false>, MultiplyPanels<false, false, true>},
                                       {MultiplyPanels<false, true, false>, MultiplyPanels<false, true, true>}},
                                      {{MultiplyPanels<true, false, false>, MultiplyPanels<true, false, true>},
                                       {MultiplyPanels<true, true, false>, MultiplyPanels<true, true, true>}}};

void CopyRows(const float* from, Index from_stride, Index rows, Index cols, float* to, Index to_stride) {
  for (Index i = 0; i < rows; ++i) std::copy_n(from + i * from_stride, cols, to + i * to_stride);
}

// A block of C: rows, cols <= kTilePanel.
struct Block {
  Index rows, cols;
  Init init;
  float* c;
  Index c_stride;
  float* sums;    // [kTilePanel, kTilePanel]: the block between the steps along k, or if it does not fill its tiles
  bool followed;  // whether a whole block below it comes next
};

// One step along k of a block; the first reads Init, the last writes C.
void MultiplyBlock(const Bf16* a, const Bf16* b, bool bf16, Index runs, const Block& c, bool first, bool last) {
  const bool full = c.rows % kTileSide == 0 && c.cols % kTileSide == 0;
  PanelProduct p{a, b, runs, {c.sums, kTilePanel}, c.sums, kTilePanel, nullptr, c.c_stride};
  if (first && (full || c.init.data == nullptr)) p.from = c.init;
  if (first && !full && c.init.data) CopyRows(c.init.data, c.init.stride, c.rows, c.cols, c.sums, kTilePanel);
  if (last && full) p.to = c.c, p.to_stride = c.c_stride;
  if (last && c.followed) p.soon = c.c + kTilePanel * c.c_stride;
  kKernels[bf16][c.rows > kTileSide][c.cols > kTileSide](p);
  if (last && !full) CopyRows(c.sums, kTilePanel, c.rows, c.cols, c.c, c.c_stride);
}

}  // namespace

void TileProduct(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride, Real* scratch) {
  const Room room = RoomFor(m, n, k);
  Bf16* packed_a = reinterpret_cast<Bf16*>(scratch);
  Bf16* packed_b = reinterpret_cast<Bf16*>(scratch + room.a);
  const Index step_depth = StepDepth(k);
  const bool bf16 = b.type == StoredType::kBf16, one_step = k == step_depth;
  _tile_loadconfig(&kConfig);
  for (Index j0 = 0; j0 < n; j0 += kChunkCols) {
    for (Index k0 = 0; k0 < k; k0 += step_depth) {
      const Index depth = std::min(step_depth, k - k0), runs = TileRuns(depth);
      if (j0 == 0 || !one_step) PackTilesA(a.At(0, k0), m, depth, packed_a);
      float* sums = scratch + room.a + room.b;
      for (Index j = j0; j < std::min(n, j0 + kChunkCols); j += kTilePanel) {
        const Index cols = std::min(kTilePanel, n - j);
        PackTilesB(b.At(k0, j), depth, cols, packed_b);
        for (Index i = 0; i < m; i += kTilePanel) {
          const bool followed = cols == kTilePanel && m - i >= 2 * kTilePanel;
          const Block block{
              std::min(kTilePanel, m - i), cols, init.At(i, j), c + i * c_stride + j, c_stride, sums, followed};
          const Bf16* panel = packed_a + i / kTilePanel * TilePanelSize(runs, kTileParts);
          MultiplyBlock(panel, packed_b, bf16, runs, block, k0 == 0, k0 + depth == k);
          if (!one_step) sums += kTilePanel * kTilePanel;
        }
      }
    }
  }
  _tile_release();
}

}  // namespace ampgrad::kernels
HWY_POP_ATTRIBUTES

#else

namespace ampgrad::kernels {

void TileProduct(Index, Index, Index, Operand, Operand, Init, Real*, Index, Real*) {
  throw std::logic_error("[gemm] this build has no tiles");
}

}  // namespace ampgrad::kernels

#endif  // AMPGRAD_TILES
