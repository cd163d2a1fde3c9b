#pragma once

#include <memory>
#include <vector>

#include "tensor/stored_tensor.h"

namespace ampgrad {

/// `values` rounded to a type of 16 or 32 bits, not in a Tensor, as a file holds them.
inline StoredTensor Stored(const Tensor& values, StoredType type) {
  const auto bytes =
      std::make_shared<std::vector<double>>(static_cast<size_t>(values.size()) + 1);  // room, and alignment
  for (Index i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(values[i]);
    if (type == StoredType::kF32) reinterpret_cast<float*>(bytes->data())[i] = value;
    if (type == StoredType::kF16) reinterpret_cast<Half*>(bytes->data())[i] = ToHalf(value);
    if (type == StoredType::kBf16) reinterpret_cast<Bf16*>(bytes->data())[i] = ToBf16(value);
  }
  return StoredTensor(type, values.shape(), std::shared_ptr<const void>(bytes, bytes->data()));
}

/// The types of stored weights that a file may have.
inline constexpr StoredType kStoredTypes[] = {StoredType::kF32, StoredType::kF16, StoredType::kBf16};

}  // namespace ampgrad
