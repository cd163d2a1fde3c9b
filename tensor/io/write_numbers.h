#pragma once

#include <string>

#include "tensor/io/atomic_file.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::io {

/// Appends the numbers of a tensor to a file, rounded to `type`, ties to even. Throws std::invalid_argument for a
/// number that is not finite in that type, std::logic_error for a type with blocks, and std::runtime_error when writing
/// fails; `what` starts the messages of the first two.
void WriteNumbers(AtomicFile& file, StoredType type, const Tensor& value, const std::string& what);

}  // namespace ampgrad::io
