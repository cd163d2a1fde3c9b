#include "tensor/gemm.h"

#include <algorithm>
#include <stdexcept>

#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/gemm.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/simd-inl.h"
// clang-format on

// How a product is blocked (after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008):
//
//   B is packed once into panels of kPanelCols columns, A block by block into panels of kPanelRows rows. The micro-kernel
//   keeps a kPanelRows x kPanelCols tile of C in registers and walks along k. A B panel of kDepth rows stays in the L1
//   cache while a block of A panels, which stays in L2, passes by.
//   B panels are read as vectors, so they lie [k, columns]. Of an A panel the kernel reads single numbers, so it may lie
//   either way: [rows, k] when A is stored by rows and [k, rows] when it is read transposed. Packing A is then a copy of
//   contiguous runs, never a transposition.

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// Two vectors of columns by as many rows as registers allow: of 32 (AVX-512, NEON) 28 sums, 2 of B and 1 of A; of 16
// (SSE, AVX2) 12 sums, 2 of B and 1 of A.
constexpr Index kPanelRows = (HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM) ? 14 : 6;
constexpr Index kPanelVectors = 2;

using kernels::kDepth;
// Distance of the rows of an A panel that lies by rows: a cache line more than kDepth, lest all rows fall into one cache set.
constexpr Index kRowStride = kDepth + 64 / sizeof(Real);

inline Index PanelCols() { return kPanelVectors * LanesOf(D()); }

// tile [kPanelRows, PanelCols()] at c = Init + A panel · B panel
//   A panel: element (i, k) at a[i * kARow + k * kACol]   B panel [depth, PanelCols()]
template <Index kARow, Index kACol>
void MicroKernel(Index depth, const Real* HWY_RESTRICT a, const Real* HWY_RESTRICT b, kernels::Init init, Real* c,
                 Index c_stride) {
  const D d;
  const Index lanes = LanesOf(d);
  V sum0[kPanelRows], sum1[kPanelRows];
#pragma GCC unroll 14
  for (Index i = 0; i < kPanelRows; ++i) sum0[i] = sum1[i] = hn::Zero(d);

  for (Index k = 0; k < depth; ++k) {
    const V b0 = hn::Load(d, b);
    const V b1 = hn::Load(d, b + lanes);
    b += kPanelVectors * lanes;
#pragma GCC unroll 14
    for (Index i = 0; i < kPanelRows; ++i) {
      const V a_ik = hn::Set(d, a[i * kARow]);
      sum0[i] = hn::MulAdd(a_ik, b0, sum0[i]);
      sum1[i] = hn::MulAdd(a_ik, b1, sum1[i]);
    }
    a += kACol;
  }

#pragma GCC unroll 14
  for (Index i = 0; i < kPanelRows; ++i) {
    if (init.data != nullptr) {
      sum0[i] = hn::Add(hn::LoadU(d, init.data + i * init.stride), sum0[i]);
      sum1[i] = hn::Add(hn::LoadU(d, init.data + i * init.stride + lanes), sum1[i]);
    }
    hn::StoreU(sum0[i], d, c + i * c_stride);
    hn::StoreU(sum1[i], d, c + i * c_stride + lanes);
  }
}

// Numbers in an A panel, which lies by rows or by k.
Index APanelSize(bool by_rows, Index depth) { return kPanelRows * (by_rows ? kRowStride : depth); }

// One tile of rows x cols numbers. At the lower or right edge of C, where it is not full, the kernel writes into a buffer
// of which the wanted part is copied.
void Tile(Index depth, const Real* a, bool by_rows, const Real* b, kernels::Init init, Real* c, Index c_stride,
          Index rows, Index cols) {
  const auto kernel = by_rows ? MicroKernel<kRowStride, 1> : MicroKernel<1, kPanelRows>;
  if (rows == kPanelRows && cols == PanelCols()) return kernel(depth, a, b, init, c, c_stride);
  HWY_ALIGN Real tile[kPanelRows * kPanelVectors * HWY_MAX_BYTES / sizeof(Real)];
  kernel(depth, a, b, {}, tile, PanelCols());
  for (Index i = 0; i < rows; ++i) {
    const Real* start = init.data == nullptr ? nullptr : init.data + i * init.stride;
    for (Index j = 0; j < cols; ++j) {
      c[i * c_stride + j] = (start ? start[j] : Real(0)) + tile[i * PanelCols() + j];
    }
  }
}

// The part of C that one B panel and a block of A panels make:  c [rows, cols], cols <= PanelCols().
void PanelTimesBlock(Index depth, const Real* a, bool by_rows, const Real* b, kernels::Init init, Real* c,
                     Index c_stride, Index rows, Index cols) {
  for (Index i = 0; i < rows; i += kPanelRows) {
    Tile(depth, a, by_rows, b, init, c, c_stride, std::min(kPanelRows, rows - i), cols);
    a += APanelSize(by_rows, depth);
    if (init.data != nullptr) init.data += kPanelRows * init.stride;
    c += kPanelRows * c_stride;
  }
}

void Copy(const Real* from, Index count, Real* to) {
  Map(from, to, count, [](V x) HWY_ATTR { return x; });
}

// Rows row..row+rows of A, from k = k0 on, as panels one behind the other; missing rows of the last one are zero.
void PackA(kernels::Operand a, Index row, Index rows, Index k0, Index depth, Real* packed) {
  for (Index i = 0; i < rows; i += kPanelRows, packed += APanelSize(!a.transposed, depth)) {
    const Index count = std::min(kPanelRows, rows - i);
    if (count < kPanelRows) std::fill_n(packed, APanelSize(!a.transposed, depth), Real(0));
    if (a.transposed) {
      for (Index k = 0; k < depth; ++k) Copy(a.data + (k0 + k) * a.stride + row + i, count, packed + k * kPanelRows);
    } else {
      for (Index j = 0; j < count; ++j) Copy(a.data + (row + i + j) * a.stride + k0, depth, packed + j * kRowStride);
    }
  }
}

// Columns col..col+count of B [k, n] as one panel [k, PanelCols()]; missing columns are zero.
void PackB(kernels::Operand b, Index col, Index count, Index k, Real* panel) {
  const Index width = PanelCols();
  if (count < width) std::fill_n(panel, k * width, Real(0));
  if (!b.transposed) {
    for (Index p = 0; p < k; ++p) Copy(b.data + p * b.stride + col, count, panel + p * width);
    return;
  }
  // Sixteen k at a time, so that every cache line of the panel is written while it is at hand.
  for (Index p = 0; p < k; p += 16) {
    for (Index j = 0; j < count; ++j) {
      for (Index q = p; q < std::min(k, p + 16); ++q) panel[q * width + j] = b.data[(col + j) * b.stride + q];
    }
  }
}

Index ABlockSize(bool by_rows, Index rows, Index depth) {
  return (rows + kPanelRows - 1) / kPanelRows * APanelSize(by_rows, depth);
}
Index PanelRowsOfTarget() { return kPanelRows; }
Index PanelColsOfTarget() { return PanelCols(); }

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(PanelTimesBlock);
HWY_EXPORT(PackA);
HWY_EXPORT(PackB);
HWY_EXPORT(ABlockSize);
HWY_EXPORT(PanelRowsOfTarget);
HWY_EXPORT(PanelColsOfTarget);

// Panels of A in a block: 8 x 14 rows x 256 floats are 112 KiB, well inside an L2 cache.
constexpr Index kBlockPanels = 8;

Index CeilDiv(Index a, Index b) { return (a + b - 1) / b; }

// Scratch memory of the calling thread that only grows; two slots, as a product packs A and B at the same time.
Real* Scratch(int slot, Index count) {
  thread_local Tensor buffers[2];
  if (buffers[slot].empty() || buffers[slot].size() < count) buffers[slot] = Tensor::Uninitialized({count});
  return buffers[slot].data();
}

// How C is cut into tasks: blocks of whole panels, a multiple of the number of threads, rows first.
struct Grid {
  Index row_panels, col_panels;  // panels per block
  Index row_blocks, col_blocks;  // blocks
};

Grid CutForThreads(Index row_panels, Index col_panels) {
  const Index threads = NumThreads();
  Grid grid;
  grid.row_blocks = std::min(row_panels, CeilDiv(CeilDiv(row_panels, kBlockPanels), threads) * threads);
  grid.row_panels = CeilDiv(row_panels, grid.row_blocks);
  grid.row_blocks = CeilDiv(row_panels, grid.row_panels);
  const Index wanted = grid.row_blocks >= threads ? 1 : CeilDiv(threads, grid.row_blocks);
  grid.col_panels = CeilDiv(col_panels, std::min(col_panels, wanted));
  grid.col_blocks = CeilDiv(col_panels, grid.col_panels);
  return grid;
}

void Check(const char* name, const Tensor& a, const Tensor& b, const Tensor& c, bool fits) {
  if (fits) return;
  throw std::invalid_argument(std::string("[") + name + "] shapes do not fit: A " + a.shape().ToString() + ", B " +
                              b.shape().ToString() + ", C " + c.shape().ToString());
}

}  // namespace

void Gemm(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride) {
  if (m == 0 || n == 0) return;
  const Index height = HWY_DYNAMIC_DISPATCH(PanelRowsOfTarget)(), width = HWY_DYNAMIC_DISPATCH(PanelColsOfTarget)();
  const Grid grid = CutForThreads(CeilDiv(m, height), CeilDiv(n, width));
  Real* packed_b = Scratch(0, CeilDiv(n, width) * width * k);
  ParallelFor(CeilDiv(n, width), [=](Index panel) {
    const Index col = panel * width;
    HWY_DYNAMIC_DISPATCH(PackB)(b, col, std::min(width, n - col), k, packed_b + col * k);
  });

  ParallelFor(grid.row_blocks * grid.col_blocks, [&](Index task) {
    const Index row = task / grid.col_blocks * grid.row_panels * height;
    const Index rows = std::min(m - row, grid.row_panels * height);
    const Index col = task % grid.col_blocks * grid.col_panels * width;
    const Index col_end = std::min(n, col + grid.col_panels * width);
    for (Index k0 = 0; k0 < std::max<Index>(k, 1); k0 += kDepth) {  // k = 0 still writes Init
      const Index depth = std::min(kDepth, k - k0);
      Real* packed_a = Scratch(1, HWY_DYNAMIC_DISPATCH(ABlockSize)(!a.transposed, rows, depth));
      HWY_DYNAMIC_DISPATCH(PackA)(a, row, rows, k0, depth, packed_a);
      for (Index j = col; j < col_end; j += width) {
        Real* tile = c + row * c_stride + j;
        Init start = init;
        if (k0 > 0) {
          start = {tile, c_stride};
        } else if (init.data != nullptr) {
          start.data = init.data + row * init.stride + j;
        }
        HWY_DYNAMIC_DISPATCH(PanelTimesBlock)
        (depth, packed_a, !a.transposed, packed_b + j * k + k0 * width, start, tile, c_stride, rows,
         std::min(width, col_end - j));
      }
    }
  });
}

void NaiveGemm(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride) {
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      Real sum = init.data == nullptr ? 0 : init.data[i * init.stride + j];
      for (Index p = 0; p < k; ++p) {
        sum += (a.transposed ? a.data[p * a.stride + i] : a.data[i * a.stride + p]) *
               (b.transposed ? b.data[j * b.stride + p] : b.data[p * b.stride + j]);
      }
      c[i * c_stride + j] = sum;
    }
  }
}

void AddNT(const Tensor& a, const Tensor& b, Tensor& c) {
  Check("gemm_nt", a, b, c, a.cols() == b.cols() && c.rows() == a.rows() && c.cols() == b.rows());
  Gemm(a.rows(), b.rows(), a.cols(), {a.data(), a.cols()}, {b.data(), b.cols(), true}, {c.data(), c.cols()}, c.data(),
       c.cols());
}

void AddNN(const Tensor& a, const Tensor& b, Tensor& c) {
  Check("gemm_nn", a, b, c, a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols());
  Gemm(a.rows(), b.cols(), a.cols(), {a.data(), a.cols()}, {b.data(), b.cols()}, {c.data(), c.cols()}, c.data(),
       c.cols());
}

void AddTN(const Tensor& a, const Tensor& b, Tensor& c) {
  Check("gemm_tn", a, b, c, a.rows() == b.rows() && c.rows() == a.cols() && c.cols() == b.cols());
  Gemm(a.cols(), b.cols(), a.rows(), {a.data(), a.cols(), true}, {b.data(), b.cols()}, {c.data(), c.cols()}, c.data(),
       c.cols());
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
