#include "tensor/blocks.h"
#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::kernels {

void NaiveGemm(Index m, Index n, Index k, Operand a, Operand b, Init init, Real* c, Index c_stride) {
  const auto element = [](const Operand& x, Index i, Index j) {
    const Operand from = x.At(i, j);
    const void* at = from.data;
    if (HasBlocks(x.type)) {
      Real run[blocks::kRun];
      blocks::WidenRun(x.type, at, from.skipped / blocks::kRun, run);
      return run[from.skipped % blocks::kRun];
    }
    if (x.type == StoredType::kF16) return Widen(*static_cast<const Half*>(at));
    if (x.type == StoredType::kBf16) return Widen(*static_cast<const Bf16*>(at));
    return x.type == kRealType ? *static_cast<const Real*>(at) : Widen(*static_cast<const float*>(at));
  };
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      Real sum = init.data == nullptr ? 0 : init.data[i * init.stride + j];
      for (Index p = 0; p < k; ++p) sum += element(a, i, p) * element(b, p, j);
      c[i * c_stride + j] = sum;
    }
  }
}

}  // namespace ampgrad::kernels
