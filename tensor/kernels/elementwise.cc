#include <functional>

#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/elementwise.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

void AddRange(const Real* x, const Real* y, Real* z, Index n) {
  Map(x, y, z, n, [](V a, V b) HWY_ATTR { return hn::Add(a, b); });
}

void MulRange(const Real* x, const Real* y, kernels::Sink z, Index n) {
  MapTo(z, x, y, n, [](V a, V b) HWY_ATTR { return hn::Mul(a, b); });
}

void ScaleRange(Real factor, Real* x, Index n) {
  const V f = hn::Set(D(), factor);
  Map(x, x, n, [f](V a) HWY_ATTR { return hn::Mul(f, a); });
}

void TransposeRows(const Real* x, Index rows, Index cols, Index stride, Real* y) {
  TransposeMatrix(x, stride, rows, cols, y, rows);
}

constexpr Real kTwoRootTwoOverPi = Real(1.5957691216057307117);  // 2·√(2/π)
constexpr Real kCubic = Real(0.044715);

// 2u = 2√(2/π)·(x + 0.044715x³), the argument of the sigmoid in GELU(x) = x·σ(2u).
V GeluArgument(D d, V x) {
  const V cubic = hn::MulAdd(hn::Mul(hn::Set(d, kCubic), x), hn::Mul(x, x), x);
  return hn::Mul(hn::Set(d, kTwoRootTwoOverPi), cubic);
}

void GeluRange(const Real* x, Real* y, Index n) {
  const D d;
  Map(x, y, n, [d](V a) HWY_ATTR { return hn::Mul(a, Sigmoid(d, GeluArgument(d, a))); });
}

// GELU'(x) = σ + x·σ(1 − σ)·(2u)',  (2u)' = 2√(2/π)·(1 + 3·0.044715x²). For |x| > 100, σ(1 − σ) is exactly 0, so x² is
// capped there to keep (2u)' finite.
void GeluBackwardRange(const Real* x, const Real* dy, kernels::Sink dx, Index n) {
  const D d;
  const V one = hn::Set(d, Real(1)), slope = hn::Set(d, kTwoRootTwoOverPi), cubic = hn::Set(d, 3 * kCubic);
  const V cap = hn::Set(d, Real(1e4));
  MapTo(dx, x, dy, n, [=](V a, V da) HWY_ATTR {
    const V s = Sigmoid(d, GeluArgument(d, a));
    const V du = hn::Mul(slope, hn::MulAdd(cubic, hn::Min(hn::Mul(a, a), cap), one));
    const V xs = hn::Mul(a, hn::Mul(s, hn::Sub(one, s)));
    return hn::Mul(da, hn::MulAdd(xs, du, s));
  });
}

void SiluRange(const Real* x, Real* y, Index n) {
  const D d;
  Map(x, y, n, [d](V a) HWY_ATTR { return hn::Mul(a, Sigmoid(d, a)); });
}

// SiLU'(x) = σ + x·σ(1 − σ)
void SiluBackwardRange(const Real* x, const Real* dy, kernels::Sink dx, Index n) {
  const D d;
  const V one = hn::Set(d, Real(1));
  MapTo(dx, x, dy, n, [=](V a, V da) HWY_ATTR {
    const V s = Sigmoid(d, a);
    return hn::Mul(da, hn::MulAdd(hn::Mul(a, s), hn::Sub(one, s), s));
  });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(AddRange);
HWY_EXPORT(MulRange);
HWY_EXPORT(ScaleRange);
HWY_EXPORT(TransposeRows);
HWY_EXPORT(GeluRange);
HWY_EXPORT(GeluBackwardRange);
HWY_EXPORT(SiluRange);
HWY_EXPORT(SiluBackwardRange);

// Work of one task: 64 KiB of floats per array, large compared with the cost of starting a task.
constexpr Index kChunk = 16384;

}  // namespace

void Add(const Real* x, const Real* y, Real* z, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) { HWY_DYNAMIC_DISPATCH(AddRange)(x + i, y + i, z + i, end - i); });
}

void Mul(const Real* x, const Real* y, Sink z, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) {
    HWY_DYNAMIC_DISPATCH(MulRange)(x + i, y + i, z.At(i), end - i);
  });
}

void Scale(Real factor, Real* x, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) { HWY_DYNAMIC_DISPATCH(ScaleRange)(factor, x + i, end - i); });
}

void Transpose(const Real* x, Index rows, Index cols, Index stride, Real* y) {
  HWY_DYNAMIC_DISPATCH(TransposeRows)(x, rows, cols, stride, y);
}

Tensor Transposed(const Tensor& x) {
  Tensor y = Tensor::Uninitialized({x.cols(), x.rows()});
  Transpose(x.data(), x.rows(), x.cols(), x.cols(), y.data());
  return y;
}

void Gelu(const Real* x, Real* y, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) { HWY_DYNAMIC_DISPATCH(GeluRange)(x + i, y + i, end - i); });
}

void GeluBackward(const Real* x, const Real* dy, Sink dx, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) {
    HWY_DYNAMIC_DISPATCH(GeluBackwardRange)(x + i, dy + i, dx.At(i), end - i);
  });
}

void Silu(const Real* x, Real* y, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) { HWY_DYNAMIC_DISPATCH(SiluRange)(x + i, y + i, end - i); });
}

void SiluBackward(const Real* x, const Real* dy, Sink dx, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) {
    HWY_DYNAMIC_DISPATCH(SiluBackwardRange)(x + i, dy + i, dx.At(i), end - i);
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
