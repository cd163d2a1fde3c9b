// Copies parts of a matrix of any stored type, widened to Real.
#if defined(AMPGRAD_TENSOR_WIDEN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef AMPGRAD_TENSOR_WIDEN_INL_H_
#undef AMPGRAD_TENSOR_WIDEN_INL_H_
#else
#define AMPGRAD_TENSOR_WIDEN_INL_H_
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "tensor/kernels/gemm/block_columns-inl.h"
#include "tensor/kernels/gemm/stored-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ampgrad::HWY_NAMESPACE {

template <class Stored>
void WidenRun(const Stored* from, Index count, Real* to) {
  const D d;
  Index i = 0;
  for (; i + LanesOf(d) <= count; i += LanesOf(d)) hn::StoreU(LoadWide(d, from + i), d, to + i);
  for (; i < count; ++i) to[i] = Widen(from[i]);
}

template <class Stored>
void PackNumbers(const kernels::Operand& b, const Stored* numbers, Index cols, Index depth, Real* panel, Index width) {
  if (!b.transposed) {
    for (Index k = 0; k < depth; ++k) WidenRun(numbers + k * b.stride, cols, panel + k * width);
    return;
  }
  // Widened and transposed a few k at a time.
  constexpr Index kSome = 64;
  HWY_ALIGN Real wide[kMaxPanelCols * kSome];
  for (Index k = 0; k < depth; k += kSome) {
    const Index run = std::min(kSome, depth - k);
    for (Index j = 0; j < cols; ++j) WidenRun(numbers + j * b.stride + k, run, wide + j * kSome);
    TransposeMatrix(wide, kSome, cols, run, panel + k * width, width);
  }
}

// The first columns of B [depth, n] as those of a panel [depth, width]; if B is read transposed, at most kMaxPanelCols.
inline void PackWidened(const kernels::Operand& b, Index cols, Index depth, Real* panel, Index width) {
  if (HasBlocks(b.type)) {
    return blocks::WithBlocks(b.type, b.data,
                              [&](const auto* row) HWY_ATTR { PackBlocks(b, row, cols, depth, panel, width); });
  }
  WithNumbers(b.type, b.data,
              [&](const auto* numbers) HWY_ATTR { PackNumbers(b, numbers, cols, depth, panel, width); });
}

}  // namespace ampgrad::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
