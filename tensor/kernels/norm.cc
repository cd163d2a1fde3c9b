#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/kernels/kernels.h"
#include "tensor/tensor.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/norm.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// 1/√(mean + eps) of squares with this sum; NaN when the sum has overflowed. It would be 0, and a row of zeros would go
// on as if it were right.
Real InverseDeviation(Real sum, Index cols, Real eps) {
  const Real rstd = 1 / std::sqrt(sum / static_cast<Real>(cols) + eps);
  return rstd > 0 ? rstd : std::numeric_limits<Real>::quiet_NaN();
}

// One row:  y = x̂ ⊙ gain + bias,  x̂ = (x − mean)·rstd.
void LayerNormRow(const Real* x, const Real* gain, const Real* bias, Index cols, Real eps, Real* y, Real* mean_out,
                  Real* rstd_out) {
  const D d;
  const Real mean = Sum(x, cols) / static_cast<Real>(cols);
  const V m = hn::Set(d, mean);
  Map(x, y, cols, [m](V a) HWY_ATTR { return hn::Sub(a, m); });  // two passes: var as E[x²] − mean² would cancel
  const Real rstd = InverseDeviation(Dot(y, y, cols), cols, eps);
  const V r = hn::Set(d, rstd);
  Map(y, gain, bias, y, cols, [r](V c, V g, V b) HWY_ATTR { return hn::MulAdd(hn::Mul(c, r), g, b); });
  *mean_out = mean;
  *rstd_out = rstd;
}

// One row:  dx = rstd·(g − mean(g) − x̂·mean(g ⊙ x̂)),  dgain += dy ⊙ x̂,  dbias += dy.
// RMSNorm is the case mean = 0 without the term mean(g). `centred` is true for LayerNorm.
void NormBackwardRow(const Real* x, const Real* gain, Real mean, Real rstd, const Real* dy, Index cols, bool centred,
                     kernels::Sink dx, Real* dgain, Real* dbias) {
  const D d;
  const V m = hn::Set(d, mean), r = hn::Set(d, rstd);
  const auto x_hat = [=](V a) HWY_ATTR { return hn::Mul(hn::Sub(a, m), r); };
  if (dgain) Map(dy, x, dgain, dgain, cols, [=](V g, V a, V sum) HWY_ATTR { return hn::MulAdd(g, x_hat(a), sum); });
  if (dbias) Map(dy, dbias, dbias, cols, [](V g, V sum) HWY_ATTR { return hn::Add(g, sum); });
  if (!dx) return;

  const Real scale = 1 / static_cast<Real>(cols);
  const V mean_g = hn::Set(d, centred ? scale * Dot(dy, gain, cols) : Real(0));
  const V mean_gx = hn::Set(
      d, scale * SumOf(x, dy, gain, cols, [=](V a, V g, V w) HWY_ATTR { return hn::Mul(x_hat(a), hn::Mul(g, w)); }));
  MapTo(dx, x, dy, gain, cols, [=](V a, V g, V w) HWY_ATTR {
    return hn::Mul(r, hn::Sub(hn::NegMulAdd(x_hat(a), mean_gx, hn::Mul(g, w)), mean_g));
  });
}

void RmsNormRow(const Real* x, const Real* gain, Index cols, Real eps, Real* y, Real* rstd_out) {
  const D d;
  const Real rstd = InverseDeviation(Dot(x, x, cols), cols, eps);
  const V r = hn::Set(d, rstd);
  Map(x, gain, y, cols, [r](V a, V g) HWY_ATTR { return hn::Mul(hn::Mul(a, r), g); });
  *rstd_out = rstd;
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(LayerNormRow);
HWY_EXPORT(RmsNormRow);
HWY_EXPORT(NormBackwardRow);

// Rows of one task. Fixed, because dgain and dbias are summed chunk by chunk and then over chunks in order.
constexpr Index kRowChunk = 32;

// Both norms; `mean` is null for RMSNorm.
void NormBackward(const Real* x, const Real* gain, const Real* mean, const Real* rstd, const Real* dy, Index rows,
                  Index cols, Sink dx, Real* dgain, Real* dbias) {
  const Index chunks = (rows + kRowChunk - 1) / kRowChunk;
  Tensor dgain_parts = dgain ? Tensor({chunks, cols}) : Tensor();
  Tensor dbias_parts = dbias ? Tensor({chunks, cols}) : Tensor();
  ParallelFor(chunks, [&](Index chunk) {
    for (Index i = chunk * kRowChunk; i < std::min(rows, (chunk + 1) * kRowChunk); ++i) {
      HWY_DYNAMIC_DISPATCH(NormBackwardRow)
      (x + i * cols, gain, mean ? mean[i] : Real(0), rstd[i], dy + i * cols, cols, mean != nullptr,
       dx ? dx.At(i * cols) : dx, dgain ? dgain_parts.row(chunk) : nullptr, dbias ? dbias_parts.row(chunk) : nullptr);
    }
  });
  if (dgain) AddColumnSums(dgain_parts.data(), chunks, cols, dgain);
  if (dbias) AddColumnSums(dbias_parts.data(), chunks, cols, dbias);
}

}  // namespace

void LayerNorm(const Real* x, const Real* gain, const Real* bias, Index rows, Index cols, Real eps, Real* y, Real* mean,
               Real* rstd) {
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      HWY_DYNAMIC_DISPATCH(LayerNormRow)(x + i * cols, gain, bias, cols, eps, y + i * cols, mean + i, rstd + i);
    }
  });
}

void LayerNormBackward(const Real* x, const Real* gain, const Real* mean, const Real* rstd, const Real* dy, Index rows,
                       Index cols, Sink dx, Real* dgain, Real* dbias) {
  NormBackward(x, gain, mean, rstd, dy, rows, cols, dx, dgain, dbias);
}

void RmsNorm(const Real* x, const Real* gain, Index rows, Index cols, Real eps, Real* y, Real* rstd) {
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      HWY_DYNAMIC_DISPATCH(RmsNormRow)(x + i * cols, gain, cols, eps, y + i * cols, rstd + i);
    }
  });
}

void RmsNormBackward(const Real* x, const Real* gain, const Real* rstd, const Real* dy, Index rows, Index cols, Sink dx,
                     Real* dgain) {
  NormBackward(x, gain, nullptr, rstd, dy, rows, cols, dx, dgain, nullptr);
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
