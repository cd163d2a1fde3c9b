#pragma once

#include "tensor/real.h"

namespace ampgrad::train {

/// Bytes that this process may still allocate: the least of what the system has free or can free, what its control
/// group leaves, and what its own limit on address space leaves. The largest Index where nothing is known.
Index AvailableMemory();

}  // namespace ampgrad::train
