#include "tensor/kernels/simd/fma_peak.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/fma_peak.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// Two multiply-adds may start in each cycle and each takes up to five cycles, so ten sums keep the units busy. With the
// two constants they fit the 16 registers of AVX2. Every sum converges to offset / (1 − factor) = 1, so none becomes
// large or denormal.
double MultiplyAdds(Index rounds) {
  constexpr int kSums = 10;
  const D d;
  const V factor = hn::Set(d, Real(0.5)), offset = hn::Set(d, Real(0.5));
  V sums[kSums];
#pragma GCC unroll 10
  for (int i = 0; i < kSums; ++i) sums[i] = hn::Set(d, static_cast<Real>(i));
  for (Index round = 0; round < rounds; ++round) {
#pragma GCC unroll 10
    for (int i = 0; i < kSums; ++i) sums[i] = hn::MulAdd(sums[i], factor, offset);
  }
  V total = hn::Zero(d);
#pragma GCC unroll 10
  for (int i = 0; i < kSums; ++i) total = hn::Add(total, sums[i]);
  volatile Real used = hn::GetLane(total);  // if the result had no use, the compiler would drop the loop
  (void)used;
  return 2.0 * static_cast<double>(kSums * LanesOf(d) * rounds);
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(MultiplyAdds);

}  // namespace

double RunMultiplyAdds(Index rounds) { return HWY_DYNAMIC_DISPATCH(MultiplyAdds)(rounds); }

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
