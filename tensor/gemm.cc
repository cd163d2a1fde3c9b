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
//   B is packed once into panels of kPanelCols columns, A block by block into panels of kPanelRows rows, both in the order
//   in which the micro-kernel reads them. The micro-kernel keeps a kPanelRows x kPanelCols tile of C in registers and walks
//   along k. A B panel of kDepth rows stays in the L1 cache while a block of A panels, which stays in L2, passes by.

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// Two vectors of columns by as many rows as registers allow: of 32 (AVX-512, NEON) 28 sums, 2 of B and 1 of A; of 16
// (SSE, AVX2) 12 sums, 2 of B and 1 of A.
constexpr Index kPanelRows = (HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM) ? 14 : 6;
constexpr Index kPanelVectors = 2;

inline Index PanelCols() { return kPanelVectors * LanesOf(D()); }

// tile [kPanelRows, PanelCols()] at c (+)= A panel · B panel
//   a_panel [depth, kPanelRows]   b_panel [depth, PanelCols()]
void MicroKernel(Index depth, const Real* HWY_RESTRICT a_panel, const Real* HWY_RESTRICT b_panel, kernels::Init init,
                 Real* c, Index c_stride) {
  const D d;
  const Index lanes = LanesOf(d);
  V sum0[kPanelRows], sum1[kPanelRows];
#pragma GCC unroll 14
  for (Index i = 0; i < kPanelRows; ++i) sum0[i] = sum1[i] = hn::Zero(d);

  for (Index k = 0; k < depth; ++k) {
    const V b0 = hn::Load(d, b_panel);
    const V b1 = hn::Load(d, b_panel + lanes);
    b_panel += kPanelVectors * lanes;
#pragma GCC unroll 14
    for (Index i = 0; i < kPanelRows; ++i) {
      const V a = hn::Set(d, a_panel[i]);
      sum0[i] = hn::MulAdd(a, b0, sum0[i]);
      sum1[i] = hn::MulAdd(a, b1, sum1[i]);
    }
    a_panel += kPanelRows;
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

// A tile at the lower or right edge of C: the same kernel into a buffer, of which rows x cols are wanted.
void EdgeTile(Index depth, const Real* a_panel, const Real* b_panel, kernels::Init init, Real* c, Index c_stride,
              Index rows, Index cols) {
  HWY_ALIGN Real tile[kPanelRows * kPanelVectors * HWY_MAX_BYTES / sizeof(Real)];
  MicroKernel(depth, a_panel, b_panel, {}, tile, PanelCols());
  for (Index i = 0; i < rows; ++i) {
    const Real* start = init.data == nullptr ? nullptr : init.data + i * init.stride;
    for (Index j = 0; j < cols; ++j) {
      c[i * c_stride + j] = (start ? start[j] : Real(0)) + tile[i * PanelCols() + j];
    }
  }
}

// The block of C that one B panel and a block of A panels make:  c [rows, cols], cols <= PanelCols().
void PanelTimesBlock(Index depth, const Real* a_block, const Real* b_panel, kernels::Init init, Real* c, Index c_stride,
                     Index rows, Index cols) {
  for (Index i = 0; i < rows; i += kPanelRows) {
    kernels::Init tile_init = init;
    if (init.data != nullptr) tile_init.data += i * init.stride;
    const Real* a_panel = a_block + i * depth;
    if (rows - i >= kPanelRows && cols == PanelCols()) {
      MicroKernel(depth, a_panel, b_panel, tile_init, c + i * c_stride, c_stride);
    } else {
      EdgeTile(depth, a_panel, b_panel, tile_init, c + i * c_stride, c_stride, std::min(kPanelRows, rows - i), cols);
    }
  }
}

Index PanelRowsOfTarget() { return kPanelRows; }
Index PanelColsOfTarget() { return PanelCols(); }

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(PanelTimesBlock);
HWY_EXPORT(PanelRowsOfTarget);
HWY_EXPORT(PanelColsOfTarget);

// Length of a block along k. A B panel of 256 x 32 floats is 32 KiB: two thirds of a 48 KiB L1 cache.
constexpr Index kDepth = 256 * sizeof(float) / sizeof(Real);
// Panels of A in a block: 8 x 14 rows x 256 floats are 112 KiB, well inside an L2 cache.
constexpr Index kBlockPanels = 8;

Index CeilDiv(Index a, Index b) { return (a + b - 1) / b; }

// Scratch memory of the calling thread that only grows; two slots, as a product packs A and B at the same time.
Real* Scratch(int slot, Index count) {
  thread_local Tensor buffers[2];
  if (buffers[slot].empty() || buffers[slot].size() < count) buffers[slot] = Tensor::Uninitialized({count});
  return buffers[slot].data();
}

// Writes `count` <= width lines of x, starting at `first`, as a panel [depth, width] from k = k0 on; missing lines are
// zero. A line is a row of A or a column of B: element (line, k) lies at data[line * line_stride + k * k_stride], and one
// of the strides is 1.
void PackPanel(const Real* data, Index line_stride, Index k_stride, Index first, Index count, Index width, Index k0,
               Index depth, Real* panel) {
  const Real* source = data + first * line_stride + k0 * k_stride;
  if (count < width) std::fill(panel, panel + depth * width, Real(0));
  if (line_stride == 1) {
    for (Index k = 0; k < depth; ++k) std::copy_n(source + k * k_stride, count, panel + k * width);
  } else {
    // Eight k at a time, so that every cache line of the panel is written while it is at hand.
    for (Index k = 0; k < depth; k += 8) {
      const Index k_end = std::min(depth, k + 8);
      for (Index line = 0; line < count; ++line) {
        for (Index i = k; i < k_end; ++i) panel[i * width + line] = source[line * line_stride + i];
      }
    }
  }
}

// All of B [k, n] as panels of `width` columns, one behind the other, each [k, width].
void PackB(Operand b, Index n, Index k, Index width, Real* packed) {
  const Index line_stride = b.transposed ? b.stride : 1, k_stride = b.transposed ? 1 : b.stride;
  ParallelFor(CeilDiv(n, width), [=](Index panel) {
    PackPanel(b.data, line_stride, k_stride, panel * width, std::min(width, n - panel * width), width, 0, k,
              packed + panel * width * k);
  });
}

void PackABlock(Operand a, Index row, Index rows, Index k0, Index depth, Index height, Real* packed) {
  const Index line_stride = a.transposed ? 1 : a.stride, k_stride = a.transposed ? a.stride : 1;
  for (Index i = 0; i < rows; i += height) {
    PackPanel(a.data, line_stride, k_stride, row + i, std::min(height, rows - i), height, k0, depth,
              packed + i * depth);
  }
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
  PackB(b, n, k, width, packed_b);

  ParallelFor(grid.row_blocks * grid.col_blocks, [&](Index task) {
    const Index row = task / grid.col_blocks * grid.row_panels * height;
    const Index rows = std::min(m - row, grid.row_panels * height);
    const Index col = task % grid.col_blocks * grid.col_panels * width;
    const Index col_end = std::min(n, col + grid.col_panels * width);
    for (Index k0 = 0; k0 < std::max<Index>(k, 1); k0 += kDepth) {  // k = 0 still writes Init
      const Index depth = std::min(kDepth, k - k0);
      Real* packed_a = Scratch(1, CeilDiv(rows, height) * height * depth);
      PackABlock(a, row, rows, k0, depth, height, packed_a);
      for (Index j = col; j < col_end; j += width) {
        Real* tile = c + row * c_stride + j;
        Init start = init;
        if (k0 > 0) {
          start = {tile, c_stride};
        } else if (init.data != nullptr) {
          start.data = init.data + row * init.stride + j;
        }
        HWY_DYNAMIC_DISPATCH(PanelTimesBlock)
        (depth, packed_a, packed_b + j * k + k0 * width, start, tile, c_stride, rows, std::min(width, col_end - j));
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
