#pragma once

#include <string>

#include "tensor/io/atomic_file.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::io {

/// Appends the numbers of a tensor to a file, rounded to `type`, ties to even. Throws std::invalid_argument for a
/// number that is not finite in that type; `what` starts the message.
void WriteNumbers(AtomicFile& file, StoredType type, const Tensor& value, const std::string& what);

}  // namespace ampgrad::io
