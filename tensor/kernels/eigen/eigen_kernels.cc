#include "tensor/kernels/eigen/eigen_kernels.h"

#include <algorithm>

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/eigen/eigen_kernels.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/cache_control.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using kernels::kBand;
using kernels::Rotation;
using kernels::StridedMatrix;
using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

inline Index Lanes() { return static_cast<Index>(hn::Lanes(D())); }

double DotDouble(const double* x, const double* y, Index n) {
  const D d;
  const Index lanes = Lanes();
  // Four partial sums, so that the additions need not wait for one another; a tile has at least four vectors.
  V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (Index i = 0; i < n; i += 4 * lanes) {
    for (Index j = 0; j < 4; ++j) {
      sums[j] = hn::MulAdd(hn::LoadU(d, x + i + j * lanes), hn::LoadU(d, y + i + j * lanes), sums[j]);
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
}

// A tile of C in registers: it takes 16 of 32 registers (AVX-512, NEON) or 8 of 16 (AVX2).
constexpr Index kTileRows = 4;
constexpr Index kTileVectors = (HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM) ? 4 : 2;

// Depth of a step along k: a piece of B, kBand columns wide, is then 32 KiB and stays in the L1 cache while the kernel
// goes through the rows of A.
constexpr Index kTileDepth = 128;

inline void AddTile(Index depth, StridedMatrix a, const double* HWY_RESTRICT b, Index b_stride, double* HWY_RESTRICT c,
                    Index c_stride) {
  const D d;
  const Index lanes = Lanes();
  V sums[kTileRows][kTileVectors];
#pragma GCC unroll 4
  for (Index i = 0; i < kTileRows; ++i) {
    hwy::Prefetch(c + i * c_stride);  // C may not be in cache: it is fetched during the sums
    hwy::Prefetch(c + i * c_stride + kTileVectors * lanes / 2);
#pragma GCC unroll 4
    for (Index j = 0; j < kTileVectors; ++j) sums[i][j] = hn::Zero(d);
  }
  const double* HWY_RESTRICT a_k = a.data;
  for (Index k = 0; k < depth; ++k, a_k += a.col, b += b_stride) {
    V b_k[kTileVectors];
#pragma GCC unroll 4
    for (Index j = 0; j < kTileVectors; ++j) b_k[j] = hn::LoadU(d, b + j * lanes);
#pragma GCC unroll 4
    for (Index i = 0; i < kTileRows; ++i) {
      const V a_ik = hn::Set(d, a_k[i * a.row]);
#pragma GCC unroll 4
      for (Index j = 0; j < kTileVectors; ++j) sums[i][j] = hn::MulAdd(a_ik, b_k[j], sums[i][j]);
    }
  }
#pragma GCC unroll 4
  for (Index i = 0; i < kTileRows; ++i) {
#pragma GCC unroll 4
    for (Index j = 0; j < kTileVectors; ++j) {
      double* to = c + i * c_stride + j * lanes;
      hn::StoreU(hn::Add(hn::LoadU(d, to), sums[i][j]), d, to);
    }
  }
}

void AddProduct(Index rows, Index cols, Index depth, StridedMatrix a, const double* b, Index b_stride, double* c,
                Index c_stride) {
  const Index tile_cols = kTileVectors * Lanes();
  for (Index k = 0; k < depth; k += kTileDepth) {
    const Index step = std::min(kTileDepth, depth - k);
    for (Index j = 0; j < cols; j += tile_cols) {
      for (Index i = 0; i < rows; i += kTileRows) {
        AddTile(step, {a.data + i * a.row + k * a.col, a.row, a.col}, b + k * b_stride + j, b_stride,
                c + i * c_stride + j, c_stride);
      }
    }
  }
}

// ReflectColumns for four vectors of columns.
inline void ReflectFour(const double* HWY_RESTRICT v, Index n, double* HWY_RESTRICT block, Index stride) {
  const D d;
  const Index lanes = Lanes();
  // w = 2·vᵀ·block
  V w[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (Index i = 0; i < n; ++i) {
    const V v_i = hn::Set(d, v[i]);
#pragma GCC unroll 4
    for (Index j = 0; j < 4; ++j) w[j] = hn::MulAdd(v_i, hn::LoadU(d, block + i * stride + j * lanes), w[j]);
  }
#pragma GCC unroll 4
  for (Index j = 0; j < 4; ++j) w[j] = hn::Add(w[j], w[j]);
  for (Index i = 0; i < n; ++i) {
    const V v_i = hn::Set(d, v[i]);
    double* row = block + i * stride;
#pragma GCC unroll 4
    for (Index j = 0; j < 4; ++j) {
      hn::StoreU(hn::NegMulAdd(v_i, w[j], hn::LoadU(d, row + j * lanes)), d, row + j * lanes);
    }
  }
}

void ReflectColumns(const double* v, Index n, double* block, Index stride, Index cols) {
  for (Index j = 0; j < cols; j += 4 * Lanes()) ReflectFour(v, n, block + j, stride);
}

// kRows rows at a time, so that their sums need not wait for one another.
template <Index kRows>
inline void ReflectSomeRows(const double* HWY_RESTRICT v, Index n, double* HWY_RESTRICT block, Index stride) {
  const D d;
  const Index lanes = Lanes();
  V sums[kRows];
#pragma GCC unroll 4
  for (Index i = 0; i < kRows; ++i) sums[i] = hn::Zero(d);
  for (Index j = 0; j < n; j += lanes) {
    const V v_j = hn::LoadU(d, v + j);
#pragma GCC unroll 4
    for (Index i = 0; i < kRows; ++i) sums[i] = hn::MulAdd(v_j, hn::LoadU(d, block + i * stride + j), sums[i]);
  }
#pragma GCC unroll 4
  for (Index i = 0; i < kRows; ++i) {
    const V sum = hn::SumOfLanes(d, sums[i]);  // in every lane
    sums[i] = hn::Add(sum, sum);
  }
  for (Index j = 0; j < n; j += lanes) {
    const V v_j = hn::LoadU(d, v + j);
#pragma GCC unroll 4
    for (Index i = 0; i < kRows; ++i) {
      double* to = block + i * stride + j;
      hn::StoreU(hn::NegMulAdd(v_j, sums[i], hn::LoadU(d, to)), d, to);
    }
  }
}

void ReflectRows(const double* v, Index n, double* block, Index stride, Index rows) {
  Index i = 0;
  for (; i + 4 <= rows; i += 4) ReflectSomeRows<4>(v, n, block + i * stride, stride);
  for (; i < rows; ++i) ReflectSomeRows<1>(v, n, block + i * stride, stride);
}

void RotateStrip(const Rotation* rotations, Index count, double* strip) {
  const D d;
  const Index lanes = Lanes();
  for (Index j = 0; j < kBand; j += 4 * lanes) {
    double* row = strip + j;
    V carried[4];
#pragma GCC unroll 4
    for (Index k = 0; k < 4; ++k) carried[k] = hn::LoadU(d, row + k * lanes);
    for (Index i = 0; i < count; ++i, row += kBand) {
      const V c = hn::Set(d, rotations[i].c), s = hn::Set(d, rotations[i].s);
#pragma GCC unroll 4
      for (Index k = 0; k < 4; ++k) {
        const V lower = carried[k], upper = hn::LoadU(d, row + kBand + k * lanes);
        hn::StoreU(hn::MulAdd(c, lower, hn::Mul(s, upper)), d, row + k * lanes);
        carried[k] = hn::NegMulAdd(s, lower, hn::Mul(c, upper));
      }
    }
#pragma GCC unroll 4
    for (Index k = 0; k < 4; ++k) hn::StoreU(carried[k], d, row + k * lanes);
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(DotDouble);
HWY_EXPORT(AddProduct);
HWY_EXPORT(ReflectColumns);
HWY_EXPORT(ReflectRows);
HWY_EXPORT(RotateStrip);

}  // namespace

double DotDouble(const double* x, const double* y, Index n) { return HWY_DYNAMIC_DISPATCH(DotDouble)(x, y, n); }

void AddProduct(Index rows, Index cols, Index depth, StridedMatrix a, const double* b, Index b_stride, double* c,
                Index c_stride) {
  HWY_DYNAMIC_DISPATCH(AddProduct)(rows, cols, depth, a, b, b_stride, c, c_stride);
}

void ReflectColumns(const double* v, Index n, double* block, Index stride, Index cols) {
  HWY_DYNAMIC_DISPATCH(ReflectColumns)(v, n, block, stride, cols);
}

void ReflectRows(const double* v, Index n, double* block, Index stride, Index rows) {
  HWY_DYNAMIC_DISPATCH(ReflectRows)(v, n, block, stride, rows);
}

void RotateStrip(const Rotation* rotations, Index count, double* strip) {
  HWY_DYNAMIC_DISPATCH(RotateStrip)(rotations, count, strip);
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
