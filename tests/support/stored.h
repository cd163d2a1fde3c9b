#pragma once

#include "tensor/stored_tensor.h"

namespace ampgrad {

/// The types of stored weights that a file may have.
inline constexpr StoredType kStoredTypes[] = {StoredType::kF32, StoredType::kF16, StoredType::kBf16};

}  // namespace ampgrad
