// Vector helpers shared by the kernel files.
//
// Highway compiles a kernel file once per instruction set: `foreach_target.h` includes the file again for every target,
// with HWY_NAMESPACE set to that target's name, and HWY_DYNAMIC_DISPATCH later calls the version that fits the CPU. This
// header is therefore included several times too; the toggle below is an include guard per target.
#if defined(AMPGRAD_TENSOR_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_SIMD_INL_H_
#undef AMPGRAD_TENSOR_SIMD_INL_H_
#else
#define AMPGRAD_TENSOR_SIMD_INL_H_
#endif

#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "tensor/real.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<Real>;
using V = hn::Vec<D>;

inline Index LanesOf(D d) { return static_cast<Index>(hn::Lanes(d)); }

// The first `count` lanes from memory, the others zero. AVX2 and AVX-512 load under a mask; elsewhere a masked load may
// touch memory past the end, so it goes through a buffer.
inline V LoadTail(D d, const Real* p, Index count) {
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, p);
#else
  HWY_ALIGN Real buffer[HWY_MAX_BYTES / sizeof(Real)] = {};
  for (Index i = 0; i < count; ++i) buffer[i] = p[i];
  return hn::Load(d, buffer);
#endif
}

// The first `count` lanes to memory; what lies behind is not touched.
inline void StoreTail(V v, D d, Real* p, Index count) {
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, p);
#else
  HWY_ALIGN Real buffer[HWY_MAX_BYTES / sizeof(Real)] = {};
  hn::Store(v, d, buffer);
  for (Index i = 0; i < count; ++i) p[i] = buffer[i];
#endif
}

// y[i] = f(x[i]) for full vectors, then once for the tail.
template <class F>
void Map(const Real* x, Real* y, Index n, F f) {
  const D d;
  const Index lanes = LanesOf(d);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i < n) StoreTail(f(LoadTail(d, x + i, n - i)), d, y + i, n - i);
}

// z[i] = f(x[i], y[i]).
template <class F>
void Map(const Real* x, const Real* y, Real* z, Index n, F f) {
  const D d;
  const Index lanes = LanesOf(d);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, z + i);
  if (i < n) StoreTail(f(LoadTail(d, x + i, n - i), LoadTail(d, y + i, n - i)), d, z + i, n - i);
}

// w[i] = f(x[i], y[i], z[i]).
template <class F>
void Map(const Real* x, const Real* y, const Real* z, Real* w, Index n, F f) {
  const D d;
  const Index lanes = LanesOf(d);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(f(hn::LoadU(d, x + i), hn::LoadU(d, y + i), hn::LoadU(d, z + i)), d, w + i);
  }
  if (i < n) {
    StoreTail(f(LoadTail(d, x + i, n - i), LoadTail(d, y + i, n - i), LoadTail(d, z + i, n - i)), d, w + i, n - i);
  }
}

// Σ f(x[i], y[i]) over n elements. f must map zeros to zero: the tail is padded with them.
template <class F>
Real SumOf(const Real* x, const Real* y, Index n, F f) {
  const D d;
  const Index lanes = LanesOf(d);
  V sum = hn::Zero(d);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) sum = hn::Add(sum, f(hn::LoadU(d, x + i), hn::LoadU(d, y + i)));
  if (i < n) sum = hn::Add(sum, f(LoadTail(d, x + i, n - i), LoadTail(d, y + i, n - i)));
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

inline Real Sum(const Real* x, Index n) {
  return SumOf(x, x, n, [](V v, V) HWY_ATTR { return v; });
}

inline Real Dot(const Real* x, const Real* y, Index n) {
  return SumOf(x, y, n, [](V a, V b) HWY_ATTR { return hn::Mul(a, b); });
}

// max over x[0..n), n >= 1. A NaN may be lost here; the exponentials that follow bring it back.
inline Real Max(const Real* x, Index n) {
  const D d;
  const Index lanes = LanesOf(d);
  Real best = x[0];
  Index i = 0;
  if (n >= lanes) {
    V m = hn::LoadU(d, x);
    for (i = lanes; i + lanes <= n; i += lanes) m = hn::Max(m, hn::LoadU(d, x + i));
    best = hn::GetLane(hn::MaxOfLanes(d, m));
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

// e^x within 1 unit in the last place. Highway's Exp is undefined above the overflow threshold and maps NaN to 0; here
// large arguments give infinity and NaN stays NaN, so that a broken number is still seen in the loss.
inline V Exp(D d, V x) {
  const V limit = hn::Set(d, sizeof(Real) == 4 ? Real(88) : Real(708));
  const V y = hn::IfThenElse(hn::Gt(x, limit), hn::Set(d, std::numeric_limits<Real>::infinity()),
                             hn::Exp(d, hn::Min(x, limit)));
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

// σ(x) = 1 / (1 + e^-x).
inline V Sigmoid(D d, V x) {
  const V one = hn::Set(d, Real(1));
  return hn::Div(one, hn::Add(one, Exp(d, hn::Neg(x))));
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
