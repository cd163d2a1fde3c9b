#include "tensor/kernels/gemm/widen.h"

// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/gemm/widen.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
#include "tensor/kernels/gemm/blocks-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

void WidenBlocksOfTarget(const kernels::Operand& x, Index count, Real* to) {
  blocks::WithBlocks(x.type, x.data,
                     [&](const auto* row) HWY_ATTR { WidenNumbers(row, x.skipped, x.skipped + count, to); });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ampgrad::kernels {

HWY_EXPORT(WidenBlocksOfTarget);

void WidenBlocks(const Operand& x, Index count, Real* to) { HWY_DYNAMIC_DISPATCH(WidenBlocksOfTarget)(x, count, to); }

}  // namespace ampgrad::kernels
#endif  // HWY_ONCE
