#include <algorithm>

#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/adamw.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

void AdamWRange(const kernels::AdamWStep& step, const Real* grad, Real* param, Real* m, Real* v, Index n) {
  const D d;
  const V beta1 = hn::Set(d, step.beta1), rest1 = hn::Set(d, step.rest1);
  const V beta2 = hn::Set(d, step.beta2), rest2 = hn::Set(d, step.rest2);
  const V decay = hn::Set(d, step.decay), rate = hn::Set(d, step.rate);
  const V unbias2 = hn::Set(d, step.unbias2), eps = hn::Set(d, step.eps);
  const Index lanes = LanesOf(d);
  for (Index i = 0; i < n; i += lanes) {
    const Index count = std::min(lanes, n - i);
    const V g = LoadTail(d, grad + i, count);
    const V m1 = hn::MulAdd(beta1, LoadTail(d, m + i, count), hn::Mul(rest1, g));
    const V v1 = hn::MulAdd(beta2, LoadTail(d, v + i, count), hn::Mul(rest2, hn::Mul(g, g)));
    const V scale = hn::Add(hn::Sqrt(hn::Mul(v1, unbias2)), eps);
    const V p = hn::NegMulAdd(rate, hn::Div(m1, scale), hn::Mul(LoadTail(d, param + i, count), decay));
    StoreTail(m1, d, m + i, count);
    StoreTail(v1, d, v + i, count);
    StoreTail(p, d, param + i, count);
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(AdamWRange);
// Work of one task: 64 KiB of the four arrays together, large compared with the cost of starting a task.
constexpr Index kChunk = 4096;

}  // namespace

void AdamW(const AdamWStep& step, const Real* grad, Real* param, Real* m, Real* v, Index n) {
  ParallelChunks(n, kChunk, [=](Index i, Index end) {
    HWY_DYNAMIC_DISPATCH(AdamWRange)(step, grad + i, param + i, m + i, v + i, end - i);
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
