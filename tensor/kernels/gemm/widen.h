#pragma once

#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::kernels {

/// to [rows, cols] = the first rows and columns of X, widened to Real.
void WidenMatrix(Index rows, Index cols, const Operand& x, Real* to);

}  // namespace ampgrad::kernels
