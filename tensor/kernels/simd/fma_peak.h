#pragma once

#include "tensor/real.h"

namespace ampgrad::kernels {

/// Runs `rounds` rounds of independent multiply-adds in registers, on the calling thread, and returns the number of
/// floating-point operations. Their rate is an upper bound for matrix products that do not use the tile unit.
double RunMultiplyAdds(Index rounds);

}  // namespace ampgrad::kernels
