#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels/kernels.h"
#include "tensor/tensor.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/reduce.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/simd/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

void AddRows(const Real* x, Index rows, Index stride, Index cols, Real* sums) {
  for (Index i = 0; i < rows; ++i) {
    Map(x + i * stride, sums, sums, cols, [](V a, V sum) HWY_ATTR { return hn::Add(a, sum); });
  }
}

// Σ x² in double, with four partial sums for each lane, so that the additions need not wait for one another.
double SumSquaresRange(const Real* x, Index n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<Real, decltype(d)> d_in;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const auto square = [=](const Real* p) HWY_ATTR {
#ifdef AMPGRAD_DOUBLE
    const auto v = hn::LoadU(d_in, p);
#else
    const auto v = hn::PromoteTo(d, hn::LoadU(d_in, p));
#endif
    return hn::Mul(v, v);
  };
  auto a = hn::Zero(d), b = a, c = a, e = a;
  Index i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = hn::Add(a, square(x + i));
    b = hn::Add(b, square(x + i + lanes));
    c = hn::Add(c, square(x + i + 2 * lanes));
    e = hn::Add(e, square(x + i + 3 * lanes));
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(AddRows);
HWY_EXPORT(SumSquaresRange);

// Rows that one task sums. Fixed, because the sums of the tasks are then added in order.
constexpr Index kRowChunk = 128;
constexpr Index kChunk = 65536;

}  // namespace

void AddColumnSums(const Real* x, Index rows, Index cols, Real* sums) {
  Tensor parts({(rows + kRowChunk - 1) / kRowChunk, cols});
  ParallelChunks(rows, kRowChunk, [&](Index i, Index end) {
    HWY_DYNAMIC_DISPATCH(AddRows)(x + i * cols, end - i, cols, cols, parts.row(i / kRowChunk));
  });
  HWY_DYNAMIC_DISPATCH(AddRows)(parts.data(), parts.rows(), cols, cols, sums);
}

double SumSquares(const Real* x, Index n) {
  std::vector<double> parts((n + kChunk - 1) / kChunk);
  ParallelChunks(n, kChunk, [&](Index i, Index end) {
    parts[i / kChunk] = HWY_DYNAMIC_DISPATCH(SumSquaresRange)(x + i, end - i);
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
