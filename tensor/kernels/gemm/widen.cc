#include "tensor/kernels/gemm/widen.h"

#include <algorithm>

#include "tensor/thread_pool.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/gemm/widen.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/gemm/widen-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

// Rows of to, which has `width` columns.
void WidenRows(Index rows, Index cols, const kernels::Operand& x, Real* to, Index width) {
  const Index step = x.transposed ? 2 * LanesOf(D()) : cols;
  for (Index j = 0; j < cols; j += step) PackWidened(x.At(0, j), std::min(step, cols - j), rows, to + j, width);
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {

HWY_EXPORT(WidenRows);

void WidenMatrix(Index rows, Index cols, const Operand& x, Real* to) {
  constexpr Index kRows = 64;  // of a task: whole runs of blocks
  ParallelChunks(rows, kRows, [&](Index begin, Index end) {
    HWY_DYNAMIC_DISPATCH(WidenRows)(end - begin, cols, x.At(begin, 0), to + begin * cols, cols);
  });
}

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
