#pragma once

#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::kernels {

/// The first `count` numbers of the first row in memory of a matrix of blocks, widened to Real.
void WidenBlocks(const Operand& x, Index count, Real* to);

}  // namespace ampgrad::kernels
