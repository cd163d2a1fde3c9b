#pragma once

#include "tensor/real.h"

namespace ampgrad::kernels {

/// Runs `rounds` rounds of independent multiply-adds that never leave the registers, on the calling thread, and returns
/// how many floating-point operations they were: timed, the rate that no matrix product can exceed.
double RunMultiplyAdds(Index rounds);

}  // namespace ampgrad::kernels
