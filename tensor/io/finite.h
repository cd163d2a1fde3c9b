#pragma once

#include "tensor/stored_tensor.h"

namespace ampgrad::io {

/// Index of the first of the `n` numbers at `numbers`, all of one type, that is NaN or infinite; `n` when there is none. On
/// all threads, at the speed of memory.
Index FirstNotFinite(StoredType type, const void* numbers, Index n);

}  // namespace ampgrad::io
