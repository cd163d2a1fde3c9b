#pragma once

#include <memory>

#include "tensor/real.h"

namespace ampgrad::io {

/// `bytes` zeros to read. They take addresses and no memory, as all their pages are the system's one page of zeros.
/// Throws std::runtime_error when the system gives no addresses.
std::shared_ptr<const void> MapZeros(Index bytes);

}  // namespace ampgrad::io
