#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels.h"
#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/reduce.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/simd-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

void AddRows(const Real* x, Index rows, Index stride, Index cols, Real* sums) {
  for (Index i = 0; i < rows; ++i) {
    Map(x + i * stride, sums, sums, cols, [](V a, V sum) HWY_ATTR { return hn::Add(a, sum); });
  }
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {
namespace {

HWY_EXPORT(AddRows);

// Columns of a task: their partial sums, 128 floats, stay in the L1 cache while the rows pass by.
constexpr Index kColumnChunk = 128;
constexpr Index kChunk = 65536;

}  // namespace

void AddColumnSums(const Real* x, Index rows, Index cols, Real* sums) {
  ParallelChunks(cols, kColumnChunk, [=](Index j, Index end) {
    HWY_DYNAMIC_DISPATCH(AddRows)(x + j, rows, cols, end - j, sums + j);
  });
}

double SumSquares(const Real* x, Index n) {
  std::vector<double> parts((n + kChunk - 1) / kChunk);
  ParallelChunks(n, kChunk, [&](Index i, Index end) {
    // Eight partial sums, so that the additions need not wait for one another.
    double sums[8] = {};
    for (Index j = i; j < end; ++j) sums[j % 8] += static_cast<double>(x[j]) * x[j];
    for (const double sum : sums) parts[i / kChunk] += sum;
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
