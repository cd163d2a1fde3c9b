#pragma once

#include "tensor/stored_tensor.h"

namespace ampgrad::io {

/// Index of the first NaN or infinity among the `n` numbers of `type`, whole blocks, at `numbers`; `n` when there is
/// none. Runs on all threads, numbers without blocks at the speed of memory.
Index FirstNotFinite(StoredType type, const void* numbers, Index n);

}  // namespace ampgrad::io
