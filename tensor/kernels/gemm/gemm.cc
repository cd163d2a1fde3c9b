#include "tensor/kernels/gemm/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tensor/kernels/gemm/gemm_tiles.h"
#include "tensor/kernels/simd/tiles.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/gemm/gemm.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "tensor/kernels/gemm/gemm_row-inl.h"
#include "tensor/kernels/gemm/widen-inl.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

// How a product is blocked (after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008):
//
//   A task owns a block of C and walks along k in steps of kDepth. In each step it packs B, one panel of columns
//   [kDepth, PanelCols()] at a time. The panel stays in the L1 cache while the kernel goes through all rows of the
//   block's A, which stay in L2. The micro-kernel keeps a tile of kPanelRows x PanelCols() of C in registers.
//   The kernel reads vectors of B, so a panel is laid out as [k, columns]; if A is one panel of rows, which reads B
//   once, whole panels of a B that lies so are read in place. It reads single numbers of A, so A is read in place,
//   unless its numbers are so far apart that a copy pays: see NeedsPacking.

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// Two vectors of columns by as many rows as the registers allow. Of 32 registers (AVX-512, NEON), 28 hold sums, 2 hold
// B and 1 holds A. Of 16 (AVX2), 12 hold sums, 2 hold B and 1 holds A.
constexpr Index kPanelRows = (HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM) ? 14 : 6;
constexpr Index kPanelVectors = 2;
// With 28 multiply-adds a round, counting rounds costs nothing; with 12, the loop takes four at a time.
constexpr int kRoundsPerLoop = kPanelRows == 14 ? 1 : 4;
static_assert(kMaxPanelCols == kPanelVectors * HWY_MAX_BYTES / sizeof(Real));

using kernels::Init;
using kernels::kDepth;
using kernels::Operand;

inline Index PanelCols() { return kPanelVectors * LanesOf(D()); }

// One step along k:  C [rows, cols] = Init + A [rows, depth] · B [depth, PanelCols()], with cols <= PanelCols().
struct Step {
  Index depth;
  const Real* a;  // element (i, k) at a[i * a_row + k * a_col]; panels of rows are a_panel numbers apart
  Index a_row, a_col, a_panel;
  const Real* b = nullptr;  // rows are b_row numbers apart
  Index b_row = 0, cols = 0;
  Init init = {};
  Real* c = nullptr;
  Index c_stride = 0;
};

// kRows x kVectors sums in registers, one multiply-add for each number of A and vector of B.
template <Index kRows, Index kVectors>
void MicroKernel(const Step& s) {
  const D d;
  const Index lanes = LanesOf(d);
  // C may not be in cache: it is fetched while the sums are computed.
#pragma GCC unroll 14
  for (Index i = 0; i < kRows; ++i) {
    hwy::Prefetch(s.c + i * s.c_stride);
    hwy::Prefetch(s.c + i * s.c_stride + s.cols - 1);
  }
  V sums[kRows][kVectors];
#pragma GCC unroll 14
  for (Index i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (Index j = 0; j < kVectors; ++j) sums[i][j] = hn::Zero(d);
  }

  // The lower half of the rows has its own pointer, so that half as many distances between rows need registers.
  constexpr Index kHalf = (kRows + 1) / 2;
  const Index a_row = s.a_row, a_col = s.a_col, b_row = s.b_row;
  const Real *HWY_RESTRICT upper = s.a, *HWY_RESTRICT lower = s.a + kHalf * a_row, *HWY_RESTRICT b = s.b;
#pragma GCC unroll kRoundsPerLoop
  for (Index k = 0; k < s.depth; ++k, upper += a_col, lower += a_col, b += b_row) {
    V b_k[kVectors];
#pragma GCC unroll 2
    for (Index j = 0; j < kVectors; ++j) b_k[j] = hn::LoadU(d, b + j * lanes);
#pragma GCC unroll 14
    for (Index i = 0; i < kRows; ++i) {
      const V a_ik = hn::Set(d, i < kHalf ? upper[i * a_row] : lower[(i - kHalf) * a_row]);
#pragma GCC unroll 2
      for (Index j = 0; j < kVectors; ++j) sums[i][j] = hn::MulAdd(a_ik, b_k[j], sums[i][j]);
    }
  }

  const Index last = s.cols - (kVectors - 1) * lanes;  // columns of the last vector
#pragma GCC unroll 14
  for (Index i = 0; i < kRows; ++i) {
    const Real* init = s.init.data == nullptr ? nullptr : s.init.data + i * s.init.stride;
    Real* c = s.c + i * s.c_stride;
#pragma GCC unroll 2
    for (Index j = 0; j < kVectors; ++j) {
      if (j + 1 < kVectors || last == lanes) {
        const V sum = init ? hn::Add(hn::LoadU(d, init + j * lanes), sums[i][j]) : sums[i][j];
        hn::StoreU(sum, d, c + j * lanes);
      } else {
        const V sum = init ? hn::Add(LoadTail(d, init + j * lanes, last), sums[i][j]) : sums[i][j];
        StoreTail(sum, d, c + j * lanes, last);
      }
    }
  }
}

// One kernel for each number of rows, so that a last panel of fewer rows costs less.
using Kernel = void (*)(const Step&);
template <Index kVectors, Index... kIndices>
constexpr std::array<Kernel, kPanelRows> KernelsOf(std::integer_sequence<Index, kIndices...>) {
  return {MicroKernel<kIndices + 1, kVectors>...};
}
constexpr auto kNarrowKernels = KernelsOf<1>(std::make_integer_sequence<Index, kPanelRows>());
constexpr auto kWideKernels = KernelsOf<kPanelVectors>(std::make_integer_sequence<Index, kPanelRows>());

// A step for `rows` rows, panel by panel.
void AllRows(Step s, Index rows) {
  const auto& kernels = s.cols > LanesOf(D()) ? kWideKernels : kNarrowKernels;
  for (; rows > 0; rows -= kPanelRows) {
    kernels[std::min(rows, kPanelRows) - 1](s);
    s.a += s.a_panel;
    if (s.init.data != nullptr) s.init.data += kPanelRows * s.init.stride;
    s.c += kPanelRows * s.c_stride;
  }
}

inline void Copy(const Real* from, Index count, Real* to) {
  const D d;
  const Index lanes = LanesOf(d);
  Index i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  if (i < count) StoreTail(LoadTail(d, from + i, count - i), d, to + i, count - i);
}

// Distance of the rows of a copied A that is not transposed: a cache line more than kDepth, so that the rows do not all
// fall into one cache set.
constexpr Index kRowStride = kDepth + 64 / sizeof(Real);

// Copies rows 0..rows of an A that is read transposed into panels [depth, kPanelRows], one after another. It takes
// sixteen k at a time: their rows in memory are read in one go, and each panel is written a kilobyte at a time.
void PackTransposedA(const Real* a, Index stride, Index rows, Index depth, Real* packed) {
  for (Index k0 = 0; k0 < depth; k0 += 16) {
    const Index end = std::min(depth, k0 + 16);
    Index i = 0;
    for (; i + kPanelRows <= rows; i += kPanelRows) {
      Real* panel = packed + i * depth;
      // A constant number of bytes takes whole and half vectors. A store under a mask is slow on AMD's AVX2.
      for (Index k = k0; k < end; ++k) {
        std::memcpy(panel + k * kPanelRows, a + k * stride + i, kPanelRows * sizeof(Real));
      }
    }
    for (Index k = k0; k < end; ++k) Copy(a + k * stride + i, rows - i, packed + i * depth + k * kPanelRows);
  }
}

// Columns 0..cols of B [depth, n] as one panel [depth, PanelCols()]; missing columns are zero. Rows of B may lie far
// apart, each on a page of its own: the next panel's part of them is fetched while this one is used.
void PackB(Operand b, Index cols, Index depth, Real* panel) {
  const Index width = PanelCols();
  if (cols < width) std::fill_n(panel, depth * width, Real(0));
  if (b.type != kRealType) return PackWidened(b, cols, depth, panel, width);
  if (!b.transposed) {
    for (Index k = 0; k < depth; ++k) {
      const Real* row = b.real() + k * b.stride;
      hwy::Prefetch(row + width);
      Copy(row, cols, panel + k * width);
    }
  } else {
    for (Index j = width; j < 2 * width; ++j) {
      for (Index k = 0; k < depth; k += 64 / sizeof(Real)) hwy::Prefetch(b.real() + j * b.stride + k);
    }
    TransposeMatrix(b.real(), b.stride, cols, depth, panel, width);
  }
}

// Whether A is copied before it is multiplied by n columns: if it is read transposed, or if its rows are so far apart
// that each is on its own page and many of them fall into one cache set. For a few panels of B a copy costs more than
// it saves.
constexpr Index kPackingPays = 64;
bool NeedsPacking(const Operand& a, Index n) {
  return n > kPackingPays && (a.transposed || a.stride * sizeof(Real) >= 4096);
}

// The left side of a step: rows 0..m of A [m, depth], in place or, if `packed` is not null, copied to it.
Step ReadA(const Operand& a, Index m, Index depth, Real* packed) {
  if (packed == nullptr) {
    return a.transposed ? Step{depth, a.real(), 1, a.stride, kPanelRows}
                        : Step{depth, a.real(), a.stride, 1, kPanelRows * a.stride};
  }
  if (a.transposed) {
    PackTransposedA(a.real(), a.stride, m, depth, packed);
    return {depth, packed, 1, kPanelRows, kPanelRows * depth};
  }
  for (Index i = 0; i < m; ++i) Copy(a.real() + i * a.stride, depth, packed + i * kRowStride);
  return {depth, packed, kRowStride, 1, kPanelRows * kRowStride};
}

// C [m, n] = Init + A·B, computed by the calling thread. scratch: ScratchSize(m) numbers.
void Block(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride, Real* scratch) {
  Real* packed_a = NeedsPacking(a, n) ? scratch : nullptr;
  if (m == 1) {
    const Index done = RowProduct(n, k, a, b, init.data, c);
    if (done == n) return;
    n -= done, b = b.At(0, done), init = init.At(0, done), c += done;
  }
  // For one panel of rows, a copy of B would be read once.
  const bool reads_b_once = m <= kPanelRows && b.type == kRealType && !b.transposed;
  HWY_ALIGN Real panel[kDepth * kMaxPanelCols];
  for (Index k0 = 0; k0 < std::max<Index>(k, 1); k0 += kDepth) {  // k = 0 still writes Init
    Step step = ReadA(a.At(0, k0), m, std::min(kDepth, k - k0), packed_a);
    if (k0 > 0) init = {c, c_stride};
    for (Index j = 0; j < n; j += PanelCols()) {
      step.cols = std::min(PanelCols(), n - j);
      const Operand right = b.At(k0, j);
      const bool in_place = reads_b_once && step.cols == PanelCols();
      if (!in_place) PackB(right, step.cols, step.depth, panel);
      step.b = in_place ? right.real() : panel;
      step.b_row = in_place ? right.stride : PanelCols();
      step.init = init.At(0, j);
      step.c = c + j;
      step.c_stride = c_stride;
      AllRows(step, m);
    }
  }
}

// The size of a packed A of m rows, with a full last panel.
Index ScratchSize(Index m) { return (m + kPanelRows) * kRowStride; }
Index PanelRowsOfTarget() { return kPanelRows; }
Index PanelColsOfTarget() { return PanelCols(); }

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(Block);
HWY_EXPORT(ScratchSize);
HWY_EXPORT(PanelRowsOfTarget);
HWY_EXPORT(PanelColsOfTarget);

// Rows of a block: 512 rows x 256 floats of A are 512 KiB, half of a 1 MiB L2 cache.
constexpr Index kBlockRows = 512;
// Multiply-adds below which a second thread costs more than it saves.
constexpr Index kWorthAThread = 1 << 16;
// The same for products of one row. Generation computes dozens of them for each token, and each waits for memory and
// then for the last thread.
constexpr Index kRowWorthAThread = 1 << 19;

Index CeilDiv(Index a, Index b) { return (a + b - 1) / b; }

// Scratch memory of the calling thread. It has room for at least a block of full size, so that a thread's memory does
// not depend on which products it computes.
Real* Scratch(Index count) {
  thread_local Tensor buffer;
  if (buffer.empty() || buffer.size() < count) {
    const Index panels = HWY_DYNAMIC_DISPATCH(ScratchSize)(kBlockRows);
    const Index tiles = HaveTiles() ? TileScratchSize(kBlockRows, kBlockRows, kBlockRows) : 0;
    buffer = Tensor::Uninitialized({std::max({count, panels, tiles})});
  }
  return buffer.data();
}

// The first panel of part i when `panels` panels are divided evenly into `parts` parts.
Index Begin(Index i, Index parts, Index panels) { return i * panels / parts; }

// The number of blocks of C in each direction: few enough rows for the L2 cache, and a multiple of the number of
// threads. The longer side is cut: each cut across rows packs B again, each cut across columns packs A again.
struct Grid {
  Index rows, cols;
};

Grid Cut(Index m, Index n, Index k, Index row_panels, Index col_panels) {
  Grid grid{std::min(row_panels, CeilDiv(m, kBlockRows)), 1};
  const Index threads = std::min<Index>(FreeThreads(), 1 + m * n * k / (m == 1 ? kRowWorthAThread : kWorthAThread));
  if (m >= n) {
    grid.rows = std::min(row_panels, CeilDiv(grid.rows, threads) * threads);
  } else {
    grid.cols = std::min(col_panels, threads);
  }
  return grid;
}

// Fewer columns than this do not fill a vector of 16 floats.
constexpr Index kNarrow = 16;

// The same product as Cᵀ = Bᵀ·Aᵀ. A is stored transposed, so its columns are contiguous and fill vectors.
void NarrowProduct(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride) {
  Tensor transposed = Tensor::Uninitialized({n, m});
  Gemm(n, m, k, {b.data, b.stride, !b.transposed}, {a.data, a.stride, false}, {}, transposed.data(), m);
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      const Real start = init.data == nullptr ? 0 : init.data[i * init.stride + j];
      c[i * c_stride + j] = start + transposed[j * m + i];
    }
  }
}

void CheckInner(const char* name, const Tensor& a, const Tensor& b, bool fits) {
  if (fits) return;
  throw std::invalid_argument(std::string("[") + name + "] shapes do not fit: A " + a.shape().ToString() + ", B " +
                              b.shape().ToString());
}

}  // namespace

void Gemm(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride) {
  if (m == 0 || n == 0) return;
  if (a.transposed && b.type == kRealType && n < kNarrow && m > n)
    return NarrowProduct(m, n, k, a, b, init, c, c_stride);
  const bool tiles = TilesAllowed() && TilesPay(m, n, k) && b.type != StoredType::kF16;
  const Index height = tiles ? kTilePanel : HWY_DYNAMIC_DISPATCH(PanelRowsOfTarget)();
  const Index width = tiles ? kTilePanel : HWY_DYNAMIC_DISPATCH(PanelColsOfTarget)();
  const Index row_panels = CeilDiv(m, height), col_panels = CeilDiv(n, width);
  const Grid grid = Cut(m, n, k, row_panels, col_panels);
  ParallelFor(grid.rows * grid.cols, [&](Index task) {
    const Index i = task / grid.cols, j = task % grid.cols;
    const Index row = Begin(i, grid.rows, row_panels) * height, col = Begin(j, grid.cols, col_panels) * width;
    const Index rows = std::min(m, Begin(i + 1, grid.rows, row_panels) * height) - row;
    const Index cols = std::min(n, Begin(j + 1, grid.cols, col_panels) * width) - col;
    const Operand left = a.At(row, 0), right = b.At(0, col);
    const Init start = init.At(row, col);
    Real* to = c + row * c_stride + col;
    Real* scratch = Scratch(tiles ? TileScratchSize(rows, cols, k) : HWY_DYNAMIC_DISPATCH(ScratchSize)(rows));
    if (tiles) return TileProduct(rows, cols, k, left, right, start, to, c_stride, scratch);
    HWY_DYNAMIC_DISPATCH(Block)(rows, cols, k, left, right, start, to, c_stride, scratch);
  });
}

void ProductNT(const Tensor& a, const Tensor& b, Sink c) {
  CheckInner("gemm_nt", a, b, a.cols() == b.cols());
  Gemm(a.rows(), b.rows(), a.cols(), {a.data(), a.cols()}, {b.data(), b.cols(), true}, {c.onto, b.rows()}, c.to,
       b.rows());
}

void ProductNN(const Tensor& a, const Tensor& b, Sink c) {
  CheckInner("gemm_nn", a, b, a.cols() == b.rows());
  Gemm(a.rows(), b.cols(), a.cols(), {a.data(), a.cols()}, {b.data(), b.cols()}, {c.onto, b.cols()}, c.to, b.cols());
}

void ProductTN(const Tensor& a, const Tensor& b, Sink c) {
  CheckInner("gemm_tn", a, b, a.rows() == b.rows());
  Gemm(a.cols(), b.cols(), a.rows(), {a.data(), a.cols(), true}, {b.data(), b.cols()}, {c.onto, b.cols()}, c.to,
       b.cols());
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
