#pragma once

#include "tensor/real.h"

namespace ampgrad::kernels {

/// Where a kernel writes a result that may be added to something:  to = onto + result, in every element.
/// `onto` is null (add nothing), `to` itself, or another array of the same layout. `to` is null if no result is wanted.
struct Sink {
  Real* to = nullptr;
  const Real* onto = nullptr;

  explicit operator bool() const { return to != nullptr; }
  /// The part that begins `offset` numbers further.
  Sink At(Index offset) const { return {to + offset, onto ? onto + offset : nullptr}; }
};

}  // namespace ampgrad::kernels
