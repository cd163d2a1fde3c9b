#include "tensor/kernels/gemm/tile_packing.h"

#if AMPGRAD_TILES

#include <algorithm>
#include <cstdint>
#include <utility>

#include "hwy/base.h"
#include "tensor/kernels/gemm/widen.h"
// GCC 12 reports the undefined lanes of its own intrinsics as an error of their caller (GCC bug 105593).
HWY_DIAGNOSTICS(push)
HWY_DIAGNOSTICS_OFF(disable : 4700, ignored "-Wuninitialized")
#if HWY_COMPILER_GCC_ACTUAL
HWY_DIAGNOSTICS_OFF(disable : 4701, ignored "-Wmaybe-uninitialized")
#endif
#include <immintrin.h>
HWY_DIAGNOSTICS(pop)

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl")
namespace ampgrad::kernels {
namespace {

constexpr Index kSide = kTileSide, kRun = kTileRun;

// 16 x 16 numbers of 32 bits, one vector per row.
struct Square {
  __m512i row[kSide];
};

void Transpose(Square& s) {
  Square t;
#pragma GCC unroll 8
  for (Index i = 0; i < kSide; i += 2) {
    t.row[i] = _mm512_unpacklo_epi32(s.row[i], s.row[i + 1]);
    t.row[i + 1] = _mm512_unpackhi_epi32(s.row[i], s.row[i + 1]);
  }
#pragma GCC unroll 4
  for (Index i = 0; i < kSide; i += 4) {
    s.row[i] = _mm512_unpacklo_epi64(t.row[i], t.row[i + 2]);
    s.row[i + 1] = _mm512_unpackhi_epi64(t.row[i], t.row[i + 2]);
    s.row[i + 2] = _mm512_unpacklo_epi64(t.row[i + 1], t.row[i + 3]);
    s.row[i + 3] = _mm512_unpackhi_epi64(t.row[i + 1], t.row[i + 3]);
  }
  // Row 4g + c now holds, in its four blocks, columns c, 4 + c, 8 + c and 12 + c of rows 4g..4g + 3.
#pragma GCC unroll 4
  for (Index c = 0; c < 4; ++c) {
    const __m512i low_even = _mm512_shuffle_i32x4(s.row[c], s.row[4 + c], 0x88);
    const __m512i low_odd = _mm512_shuffle_i32x4(s.row[c], s.row[4 + c], 0xDD);
    const __m512i high_even = _mm512_shuffle_i32x4(s.row[8 + c], s.row[12 + c], 0x88);
    const __m512i high_odd = _mm512_shuffle_i32x4(s.row[8 + c], s.row[12 + c], 0xDD);
    t.row[c] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
    t.row[4 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
    t.row[8 + c] = _mm512_shuffle_i32x4(low_even, high_even, 0xDD);
    t.row[12 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xDD);
  }
  s = t;
}

// Masks of the first `count` of 16 and of 32 lanes.
inline __mmask16 First(Index count) { return static_cast<__mmask16>((1u << std::clamp<Index>(count, 0, kSide)) - 1); }
inline __mmask32 FirstOfRun(Index count) { return count >= kRun ? ~0u : (1u << count) - 1; }

// The first square of X [rows, cols]; entries beyond X are zero. It prefetches the square `ahead` numbers further in
// memory, which comes next; a prefetch beyond X is harmless.
inline Square LoadSquare(const Operand& x, Index rows, Index cols, Index ahead) {
  if (x.transposed) std::swap(rows, cols);
  const __mmask16 mask = First(cols);
  Square s;
#pragma GCC unroll 16
  for (Index r = 0; r < kSide; ++r) {
    const float* row = x.real() + r * x.stride;
    _mm_prefetch(row + ahead, _MM_HINT_T0);
    s.row[r] = r < rows ? _mm512_maskz_loadu_epi32(mask, row) : _mm512_setzero_si512();
  }
  if (x.transposed) Transpose(s);
  return s;
}

// 16 floats as sums of bfloat16 numbers, each in the upper half of 32 bits.
struct Split {
  __m512i part[kTileParts];
};

inline Split SplitFloats(__m512i x) {
  const __m512i half_unit = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
  Split s;
#pragma GCC unroll 2
  for (Index p = 0; p + 1 < kTileParts; ++p) {
    s.part[p] = _mm512_and_si512(_mm512_add_epi32(x, half_unit), upper);  // to the nearest
    x = _mm512_castps_si512(_mm512_sub_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(s.part[p])));
  }
  s.part[kTileParts - 1] = x;  // at most 7 binary digits are left; a NaN stays NaN
  return s;
}

// The places of the upper halves in two vectors of 32-bit lanes.
struct UpperHalves {
  alignas(64) uint16_t lane[kRun];
  constexpr UpperHalves() : lane() {
    for (Index i = 0; i < kRun; ++i) lane[i] = static_cast<uint16_t>(2 * i + 1);
  }
};
constexpr UpperHalves kUpperHalves;

// Stores, for each part, two vectors one after the other: a run of a row of A.
inline void StoreRun(__m512i left, __m512i right, Bf16* to) {
  const __m512i upper = _mm512_load_si512(kUpperHalves.lane);
  const Split l = SplitFloats(left), r = SplitFloats(right);
#pragma GCC unroll 3
  for (Index p = 0; p < kTileParts; ++p) {
    _mm512_store_si512(to + p * kTilePartStride, _mm512_permutex2var_epi16(l.part[p], upper, r.part[p]));
  }
}

// Stores, for each part, two vectors interleaved in pairs: a row of a tile of B.
inline void StorePairs(__m512i even, __m512i odd, Bf16* to) {
  const Split e = SplitFloats(even), o = SplitFloats(odd);
#pragma GCC unroll 3
  for (Index p = 0; p < kTileParts; ++p) {
    const __m512i pairs = _mm512_mask_mov_epi16(_mm512_srli_epi32(e.part[p], 16), 0xAAAAAAAA, o.part[p]);
    _mm512_store_si512(to + p * kTilePartStride, pairs);
  }
}

// The first tiles of A [rows, depth]: 16 rows over one run.
inline void PackTileA(const Operand& a, Index rows, Index depth, Bf16* to) {
  if (a.transposed) {
    const Square left = LoadSquare(a, rows, depth, kTilePanel);
    const Square right = LoadSquare(a.At(0, kSide), rows, depth - kSide, kTilePanel);
#pragma GCC unroll 16
    for (Index r = 0; r < kSide; ++r) StoreRun(left.row[r], right.row[r], to + r * kRun);
    return;
  }
  const __mmask16 left = First(depth), right = First(depth - kSide);
  const float* row = a.real();
#pragma GCC unroll 4
  for (Index r = 0; r < std::min(rows, kSide); ++r, row += a.stride) {
    const float* next_tile = row + kSide * a.stride;
    _mm_prefetch(next_tile, _MM_HINT_T0);
    _mm_prefetch(next_tile + kSide, _MM_HINT_T0);
    StoreRun(_mm512_maskz_loadu_epi32(left, row), _mm512_maskz_loadu_epi32(right, row + kSide), to + r * kRun);
  }
}

// The first tiles of B [depth, cols]: one run of 16 columns.
inline void PackTileB(const Operand& b, Index depth, Index cols, Bf16* to) {
  const Index next_run = b.transposed ? kRun : kRun * b.stride;
  const Square upper = LoadSquare(b, depth, cols, next_run);
  const Square lower = LoadSquare(b.At(kSide, 0), depth - kSide, cols, next_run);
#pragma GCC unroll 8
  for (Index p = 0; p < kSide / 2; ++p) {
    StorePairs(upper.row[2 * p], upper.row[2 * p + 1], to + p * kRun);
    StorePairs(lower.row[2 * p], lower.row[2 * p + 1], to + (kSide / 2 + p) * kRun);
  }
}

inline const Bf16* Bf16Numbers(const Operand& b) { return static_cast<const Bf16*>(b.data); }

// Row k of a B in bfloat16: 16 columns, of which `cols` exist, widened to 32 bits each; zeros if row k does not exist.
inline __m512i Bf16Row(const Operand& b, Index k, Index depth, Index cols) {
  if (k >= depth) return _mm512_setzero_si512();
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(First(cols), Bf16Numbers(b) + k * b.stride));
}

// PackTileB for a B in bfloat16, which has one part. If B is read transposed, a column is contiguous, pair by pair.
inline void PackTileBf16B(const Operand& b, Index depth, Index cols, Bf16* to) {
  if (b.transposed) {
    Square s;
    for (Index j = 0; j < kSide; ++j) {
      s.row[j] = j < cols ? _mm512_maskz_loadu_epi16(FirstOfRun(depth), Bf16Numbers(b) + j * b.stride)
                          : _mm512_setzero_si512();
    }
    Transpose(s);
    for (Index p = 0; p < kSide; ++p) _mm512_store_si512(to + p * kRun, s.row[p]);
    return;
  }
  for (Index p = 0; p < kSide; ++p) {
    const __m512i even = Bf16Row(b, 2 * p, depth, cols), odd = Bf16Row(b, 2 * p + 1, depth, cols);
    _mm512_store_si512(to + p * kRun, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
  }
}

// PackTileB for a B of blocks: the run is widened first.
inline void PackTileBlocksB(const Operand& b, Index depth, Index cols, Bf16* to) {
  alignas(64) float wide[kRun * kSide];
  const Index rows = std::min(depth, kRun), count = std::min(cols, kSide);
  WidenMatrix(rows, count, b, wide);
  PackTileB({wide, count}, rows, count, to);
}

}  // namespace

void PackTilesA(const Operand& a, Index rows, Index depth, Bf16* to) {
  const Index runs = TileRuns(depth);
  const auto pack = [&](Index i, Index run) {
    Bf16* panel = to + i / kTilePanel * TilePanelSize(runs, kTileParts) + i % kTilePanel / kSide * kTileSize;
    const Index k = run * kRun;
    PackTileA(a.At(i, k), rows - i, depth - k, panel + run * TilePanelSize(1, kTileParts));
  };
  // In the order in which A is stored.
  if (a.transposed) {
    for (Index run = 0; run < runs; ++run) {
      for (Index i = 0; i < rows; i += kSide) pack(i, run);
    }
  } else {
    for (Index i = 0; i < rows; i += kSide) {
      for (Index run = 0; run < runs; ++run) pack(i, run);
    }
  }
}

void PackTilesB(const Operand& b, Index depth, Index cols, Bf16* to) {
  for (Index k = 0; k < depth; k += kRun, to += TilePanelSize(1, TileParts(b))) {
    for (Index j = 0; j < cols; j += kSide) {
      const auto pack = b.type == StoredType::kBf16 ? PackTileBf16B : HasBlocks(b.type) ? PackTileBlocksB : PackTileB;
      pack(b.At(k, j), depth - k, cols - j, to + j / kSide * kTileSize);
    }
  }
}

}  // namespace ampgrad::kernels
HWY_POP_ATTRIBUTES

#endif  // AMPGRAD_TILES
