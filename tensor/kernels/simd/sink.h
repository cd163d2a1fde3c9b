#pragma once

#include "tensor/real.h"

namespace ampgrad::kernels {

/// Where a kernel puts a result that may add to something:  to = onto + result, in every element.
/// `onto` is null for nothing, `to` itself, or another array laid out alike. `to` is null when the result is not wanted.
struct Sink {
  Real* to = nullptr;
  const Real* onto = nullptr;

  explicit operator bool() const { return to != nullptr; }
  /// The part that begins `offset` numbers further.
  Sink At(Index offset) const { return {to + offset, onto ? onto + offset : nullptr}; }
};

}  // namespace ampgrad::kernels
