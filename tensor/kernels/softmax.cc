#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/softmax.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// max = the largest of x [n], n >= 1; returns log Σ e^(x − max).
Real LogSumExpRow(const Real* x, Index n, Real* max) {
  const D d;
  *max = Max(x, n);
  const V m = hn::Set(d, *max);
  const Index lanes = LanesOf(d);
  V sum = hn::Zero(d);
  Index i = 0;
  for (; i + lanes <= n; i += lanes) sum = hn::Add(sum, Exp(d, hn::Sub(hn::LoadU(d, x + i), m)));
  Real total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) total += std::exp(x[i] - *max);
  return std::log(total);
}

// dx = scale·e^(x − max − log_sum)
void ScaledSoftmaxRow(const Real* x, Index n, Real max, Real log_sum, Real scale, kernels::Sink dx) {
  const D d;
  const V s = hn::Set(d, scale), m = hn::Set(d, max), l = hn::Set(d, log_sum);
  MapTo(dx, x, x, n, [=](V a, V) HWY_ATTR { return hn::Mul(s, Exp(d, hn::Sub(hn::Sub(a, m), l))); });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(LogSumExpRow);
HWY_EXPORT(ScaledSoftmaxRow);

constexpr Index kRowChunk = 16;

}  // namespace

double CrossEntropySum(const Real* logits, const int* targets, Index rows, Index cols, Real* max, Real* log_sums) {
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      log_sums[i] = HWY_DYNAMIC_DISPATCH(LogSumExpRow)(logits + i * cols, cols, max + i);
    }
  });
  double sum = 0;
  for (Index i = 0; i < rows; ++i) {
    if (targets[i] >= 0) sum += log_sums[i] - (static_cast<double>(logits[i * cols + targets[i]]) - max[i]);
  }
  return sum;
}

void CrossEntropyBackward(const Real* logits, const int* targets, const Real* max, const Real* log_sums, Index rows,
                          Index cols, Real scale, Sink dlogits) {
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Sink row = dlogits.At(i * cols);
      if (targets[i] >= 0) {
        HWY_DYNAMIC_DISPATCH(ScaledSoftmaxRow)(logits + i * cols, cols, max[i], log_sums[i], scale, row);
        row.to[targets[i]] -= scale;
      } else if (row.onto == nullptr) {
        std::fill_n(row.to, cols, Real(0));
      } else if (row.onto != row.to) {
        std::copy_n(row.onto, cols, row.to);
      }
    }
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
