#pragma once

#include <cstdint>

#include "tests/audit/op_cases.h"

/// What a backward does to memory that is not its alone. Gradients share buffers, and a closure keeps an input only
/// where another one's gradient reads it: neither shows when every input is a parameter that trains.
namespace ampgrad::audit {

struct BufferErrors {
  Index frozen = 0;       // gradients that a frozen input got
  Index changed = 0;      // gradients with other bits because other inputs are frozen
  Index overwritten = 0;  // inputs, incoming gradients and shared gradients that the backward changed
  double lost = 0;       // of a gradient with a part that another holds too: ‖dX − (part + right dX)‖ / ‖…‖
  double bound = 1e-12;  // of that

  bool Passed() const { return frozen == 0 && changed == 0 && overwritten == 0 && lost <= bound; }
};

BufferErrors AuditBuffers(const OpCase& op_case, uint64_t seed);

}  // namespace ampgrad::audit
