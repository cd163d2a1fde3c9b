// Vector helpers shared by the kernel files.
//
// Highway compiles a kernel file once per instruction set: `foreach_target.h` includes the file again for every target,
// with HWY_NAMESPACE set to that target's name, and HWY_DYNAMIC_DISPATCH later calls the version for the CPU. So this
// header is also included several times; the toggle below is an include guard per target.
#if defined(AMPGRAD_TENSOR_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_SIMD_INL_H_
#undef AMPGRAD_TENSOR_SIMD_INL_H_
#else
#define AMPGRAD_TENSOR_SIMD_INL_H_
#endif

#include <algorithm>
#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "tensor/kernels/simd/sink.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<Real>;
using V = hn::Vec<D>;

// Highway numbers better targets lower: HWY_TARGET <= HWY_AVX2 is "AVX2 or better" on x86, here and in all kernels.

inline Index LanesOf(D d) { return static_cast<Index>(hn::Lanes(d)); }

// Loads the first `count` lanes from memory and sets the others to zero. AVX2 and AVX-512 load under a mask. On other
// targets a masked load may touch memory past the end, so the load goes through a buffer.
inline V LoadTail(D d, const Real* p, Index count) {
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, p);
#else
  HWY_ALIGN Real buffer[HWY_MAX_BYTES / sizeof(Real)] = {};
  for (Index i = 0; i < count; ++i) buffer[i] = p[i];
  return hn::Load(d, buffer);
#endif
}

// Stores the first `count` lanes to memory and does not touch memory after them.
inline void StoreTail(V v, D d, Real* p, Index count) {
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, p);
#else
  HWY_ALIGN Real buffer[HWY_MAX_BYTES / sizeof(Real)] = {};
  hn::Store(v, d, buffer);
  for (Index i = 0; i < count; ++i) p[i] = buffer[i];
#endif
}

// to [cols, rows] = the transpose of from [rows, cols]: blocks of 16 bytes in registers, the edges one by one.
inline void TransposeMatrix(const Real* from, Index from_stride, Index rows, Index cols, Real* to, Index to_stride) {
  Index block_rows = 0, block_cols = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr Index kBlock = 16 / sizeof(Real);
  const hn::FixedTag<Real, kBlock> d;
  block_rows = rows / kBlock * kBlock, block_cols = cols / kBlock * kBlock;
  for (Index i = 0; i < block_rows; i += kBlock) {
    for (Index j = 0; j < block_cols; j += kBlock) {
      const auto row = [=](Index k) HWY_ATTR { return hn::LoadU(d, from + (i + k) * from_stride + j); };
      Real* out = to + j * to_stride + i;
      if constexpr (kBlock == 4) {
        const auto even_low = hn::InterleaveLower(d, row(0), row(2)), odd_low = hn::InterleaveLower(d, row(1), row(3));
        const auto even_high = hn::InterleaveUpper(d, row(0), row(2)),
                   odd_high = hn::InterleaveUpper(d, row(1), row(3));
        hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, out);
        hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, out + to_stride);
        hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, out + 2 * to_stride);
        hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, out + 3 * to_stride);
      } else {
        hn::StoreU(hn::InterleaveLower(d, row(0), row(1)), d, out);
        hn::StoreU(hn::InterleaveUpper(d, row(0), row(1)), d, out + to_stride);
      }
    }
  }
#endif
  for (Index i = 0; i < rows; ++i) {
    for (Index j = i < block_rows ? block_cols : 0; j < cols; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
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

// v[i] = f(x[i], y[i], z[i], w[i]).
template <class F>
void Map(const Real* x, const Real* y, const Real* z, const Real* w, Real* v, Index n, F f) {
  const D d;
  const Index lanes = LanesOf(d);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(f(hn::LoadU(d, x + i), hn::LoadU(d, y + i), hn::LoadU(d, z + i), hn::LoadU(d, w + i)), d, v + i);
  }
  if (i < n) {
    const Index left = n - i;
    StoreTail(f(LoadTail(d, x + i, left), LoadTail(d, y + i, left), LoadTail(d, z + i, left), LoadTail(d, w + i, left)),
              d, v + i, left);
  }
}

// sink = f(x[i], y[i]).
template <class F>
void MapTo(kernels::Sink sink, const Real* x, const Real* y, Index n, F f) {
  if (sink.onto == nullptr) return Map(x, y, sink.to, n, f);
  Map(x, y, sink.onto, sink.to, n, [f](V a, V b, V onto) HWY_ATTR { return hn::Add(onto, f(a, b)); });
}

// sink = f(x[i], y[i], z[i]).
template <class F>
void MapTo(kernels::Sink sink, const Real* x, const Real* y, const Real* z, Index n, F f) {
  if (sink.onto == nullptr) return Map(x, y, z, sink.to, n, f);
  Map(x, y, z, sink.onto, sink.to, n, [f](V a, V b, V c, V onto) HWY_ATTR { return hn::Add(onto, f(a, b, c)); });
}

// Σ f(x[i], y[i], z[i]) over n elements. f must map zeros to zero, because the tail is padded with zeros. Each lane has
// two partial sums, so that the additions need not wait for one another.
template <class F>
Real SumOf(const Real* x, const Real* y, const Real* z, Index n, F f) {
  const D d;
  const Index lanes = LanesOf(d);
  V even = hn::Zero(d), odd = hn::Zero(d);
  Index i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    even = hn::Add(even, f(hn::LoadU(d, x + i), hn::LoadU(d, y + i), hn::LoadU(d, z + i)));
    odd = hn::Add(odd, f(hn::LoadU(d, x + i + lanes), hn::LoadU(d, y + i + lanes), hn::LoadU(d, z + i + lanes)));
  }
  for (; i < n; i += lanes) {
    const Index left = std::min(lanes, n - i);
    even = hn::Add(even, f(LoadTail(d, x + i, left), LoadTail(d, y + i, left), LoadTail(d, z + i, left)));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
}

// Σ f(x[i], y[i]), likewise.
template <class F>
Real SumOf(const Real* x, const Real* y, Index n, F f) {
  return SumOf(x, y, y, n, [f](V a, V b, V) HWY_ATTR { return f(a, b); });
}

inline Real Sum(const Real* x, Index n) {
  return SumOf(x, x, n, [](V v, V) HWY_ATTR { return v; });
}

inline Real Dot(const Real* x, const Real* y, Index n) {
  return SumOf(x, y, n, [](V a, V b) HWY_ATTR { return hn::Mul(a, b); });
}

// max over x[0..n), n >= 1. A NaN may be lost here; the exponentials that follow produce it again.
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

// e^x within 2 units in the last place. In float the result is 0 for x < −87.3, where e^x nears the smallest normal
// number, and infinity for x > 88; in double it is infinity for x > 708. NaN stays NaN, so that it shows in the loss.
inline V Exp(D d, V x) {
  const V infinity = hn::Set(d, std::numeric_limits<Real>::infinity());
#ifdef AMPGRAD_DOUBLE
  const V limit = hn::Set(d, 708.0);
  const V y = hn::IfThenElse(hn::Gt(x, limit), infinity, hn::Exp(d, hn::Min(x, limit)));
  return hn::IfThenElse(hn::Eq(x, x), y, x);
#else
  // e^x = 2^n·e^r with n = round(x / ln 2), so that |r| <= ½·ln 2; e^r = 1 + r + r²·p(r) with p from Moshier's Cephes,
  // expf. ln 2 is the sum of two parts; n times the first is exact.
  const hn::RebindToSigned<D> di;
  const auto n = hn::NearestInt(hn::Mul(x, hn::Set(d, 1.44269504f)));
  const V n_float = hn::ConvertTo(d, n);
  V r = hn::NegMulAdd(n_float, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n_float, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::MulAdd(hn::Set(d, 1.9875691500e-4f), r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  const V e_r = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  const V two_n = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
  const V y = hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.0f)), infinity, hn::Mul(e_r, two_n));
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, -87.3f)), hn::Zero(d), y);
#endif
}

// σ(x) = 1 / (1 + e^-x).
inline V Sigmoid(D d, V x) {
  const V one = hn::Set(d, Real(1));
  return hn::Div(one, hn::Add(one, Exp(d, hn::Neg(x))));
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
