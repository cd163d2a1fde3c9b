#pragma once

#include <memory>

#include "train/ranks/ranks.h"

namespace ampgrad::train {

/// The ranks that mpirun has started this program as; null when it is one process. Call it before the program has
/// threads. Throws std::runtime_error when there are others that it cannot join.
std::unique_ptr<Ranks> JoinMpi();

}  // namespace ampgrad::train
