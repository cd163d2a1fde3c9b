#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tensor/stored_tensor.h"

namespace ampgrad::io {

/// ggml's types of numbers, by their values there. All but F32, F16 and BF16 are blocks of quantised numbers.
/// https://github.com/ggml-org/ggml/blob/master/include/ggml.h
enum class GgmlType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4K = 12,
  kQ5K = 13,
  kQ6K = 14,
  kBf16 = 30
};

/// The type in which a tensor holds such numbers. Throws std::invalid_argument for a value that is not listed.
StoredType StoredTypeOf(GgmlType type);

/// The type with this value, if it is one of those above.
std::optional<GgmlType> KnownGgmlType(uint32_t value);
/// ggml's name of the type with this value, such as "Q2_K"; "type 99" where it has none.
std::string GgmlTypeName(uint32_t value);

}  // namespace ampgrad::io
