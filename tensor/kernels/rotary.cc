#include <algorithm>

#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/rotary.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// One head: each pair (a, b) = (x[j], x[j + half]) is rotated by the angle of frequency j to (a·c − b·s, b·c + a·s).
void RotateHead(const Real* x, Index half, const Real* cosines, const Real* sines, Real sign, kernels::Sink y) {
  const D d;
  const Index lanes = LanesOf(d);
  const auto put = [d](kernels::Sink to, Index count, V v)
                       HWY_ATTR { StoreTail(to.onto ? hn::Add(LoadTail(d, to.onto, count), v) : v, d, to.to, count); };
  for (Index j = 0; j < half; j += lanes) {
    const Index count = std::min(lanes, half - j);
    const V a = LoadTail(d, x + j, count), b = LoadTail(d, x + half + j, count);
    const V c = LoadTail(d, cosines + j, count), s = hn::Mul(hn::Set(d, sign), LoadTail(d, sines + j, count));
    put(y.At(j), count, hn::NegMulAdd(b, s, hn::Mul(a, c)));
    put(y.At(half + j), count, hn::MulAdd(a, s, hn::Mul(b, c)));
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(RotateHead);
constexpr Index kRowChunk = 16;

}  // namespace

void Rotary(const Real* x, Index rows, Index length, Index heads, Index dim, const Real* cosines, const Real* sines,
            Real sign, Sink y) {
  const Index half = dim / 2;
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const Index position = n % length;
      for (Index h = 0; h < heads; ++h) {
        const Index at = (n * heads + h) * dim;
        HWY_DYNAMIC_DISPATCH(RotateHead)
        (x + at, half, cosines + position * half, sines + position * half, sign, y.At(at));
      }
    }
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
