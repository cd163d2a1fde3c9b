#include "tensor/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/rotary.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// One head: a pair (a, b) = (x[j], x[j + half]) turns by the angle of frequency j:  (a·c − b·s, b·c + a·s).
void AddRotatedHead(const Real* x, Index half, const Real* cosines, const Real* sines, Real sign, Real* y) {
  const V turn = hn::Set(D(), sign);
  Map(x, cosines, y, y, half, [](V a, V c, V sum) HWY_ATTR { return hn::MulAdd(a, c, sum); });
  Map(x + half, sines, y, y, half,
      [turn](V b, V s, V sum) HWY_ATTR { return hn::NegMulAdd(hn::Mul(turn, b), s, sum); });
  Map(x + half, cosines, y + half, y + half, half, [](V b, V c, V sum) HWY_ATTR { return hn::MulAdd(b, c, sum); });
  Map(x, sines, y + half, y + half, half,
      [turn](V a, V s, V sum) HWY_ATTR { return hn::MulAdd(hn::Mul(turn, a), s, sum); });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(AddRotatedHead);
constexpr Index kRowChunk = 16;

}  // namespace

void AddRotary(const Real* x, Index rows, Index length, Index heads, Index dim, const Real* cosines, const Real* sines,
               Real sign, Real* y) {
  const Index half = dim / 2;
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const Index position = n % length;
      for (Index h = 0; h < heads; ++h) {
        const Index at = (n * heads + h) * dim;
        HWY_DYNAMIC_DISPATCH(AddRotatedHead)
        (x + at, half, cosines + position * half, sines + position * half, sign, y + at);
      }
    }
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
