#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/softmax.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// log Σ e^(scale·x) over x [n], n >= 1, with the maximum taken out; x is left as e^(scale·x − max).
Real ExponentiateRow(Index n, Real scale, Real* x, Real* sum) {
  const D d;
  const Real max = scale * Max(x, n);
  const V s = hn::Set(d, scale), m = hn::Set(d, max);
  Map(x, x, n, [=](V a) HWY_ATTR { return Exp(d, hn::MulSub(s, a, m)); });
  *sum = Sum(x, n);
  return max + std::log(*sum);
}

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

// dx += scale·e^(x − max − log_sum)
void AddScaledSoftmaxRow(const Real* x, Index n, Real max, Real log_sum, Real scale, Real* dx) {
  const D d;
  const V s = hn::Set(d, scale), m = hn::Set(d, max), l = hn::Set(d, log_sum);
  Map(x, dx, dx, n, [=](V a, V sum) HWY_ATTR { return hn::MulAdd(s, Exp(d, hn::Sub(hn::Sub(a, m), l)), sum); });
}

void CausalSoftmaxRow(Index n, Index keys, Real scale, Real* s, Real* log_sum) {
  Real sum;
  *log_sum = ExponentiateRow(n, scale, s, &sum);
  const V inverse = hn::Set(D(), 1 / sum);
  Map(s, s, n, [=](V a) HWY_ATTR { return hn::Mul(a, inverse); });
  std::fill(s + n, s + keys, Real(0));
}

void CausalProbabilitiesRow(Index n, Index keys, Real scale, Real* s, Real log_sum) {
  const D d;
  const V f = hn::Set(d, scale), l = hn::Set(d, log_sum);
  Map(s, s, n, [=](V a) HWY_ATTR { return Exp(d, hn::MulSub(f, a, l)); });
  std::fill(s + n, s + keys, Real(0));
}

void SoftmaxBackwardRow(Index keys, Real scale, const Real* p, Real* dp, Real pdp) {
  const V f = hn::Set(D(), scale), c = hn::Set(D(), pdp);
  Map(p, dp, dp, keys, [=](V a, V g) HWY_ATTR { return hn::Mul(hn::Mul(f, a), hn::Sub(g, c)); });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(LogSumExpRow);
HWY_EXPORT(AddScaledSoftmaxRow);
HWY_EXPORT(CausalSoftmaxRow);
HWY_EXPORT(CausalProbabilitiesRow);
HWY_EXPORT(SoftmaxBackwardRow);

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

void AddCrossEntropyBackward(const Real* logits, const int* targets, const Real* max, const Real* log_sums, Index rows,
                             Index cols, Real scale, Real* dlogits) {
  ParallelChunks(rows, kRowChunk, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      if (targets[i] < 0) continue;
      Real* row = dlogits + i * cols;
      HWY_DYNAMIC_DISPATCH(AddScaledSoftmaxRow)(logits + i * cols, cols, max[i], log_sums[i], scale, row);
      row[targets[i]] -= scale;
    }
  });
}

void CausalSoftmax(Index rows, Index keys, Index first, Real scale, Real* s, Real* log_sums, Index stride) {
  for (Index i = 0; i < rows; ++i) {
    HWY_DYNAMIC_DISPATCH(CausalSoftmaxRow)(first + i + 1, keys, scale, s + i * keys, log_sums + i * stride);
  }
}

void CausalProbabilities(Index rows, Index keys, Index first, Real scale, Real* s, const Real* log_sums, Index stride) {
  for (Index i = 0; i < rows; ++i) {
    HWY_DYNAMIC_DISPATCH(CausalProbabilitiesRow)(first + i + 1, keys, scale, s + i * keys, log_sums[i * stride]);
  }
}

void SoftmaxBackward(Index rows, Index keys, Real scale, const Real* p, Real* dp, const Real* pdp, Index stride) {
  for (Index i = 0; i < rows; ++i) {
    HWY_DYNAMIC_DISPATCH(SoftmaxBackwardRow)(keys, scale, p + i * keys, dp + i * keys, pdp[i * stride]);
  }
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
