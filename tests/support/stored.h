#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "tensor/random.h"
#include "tensor/stored_tensor.h"

namespace ampgrad {

/// The types of stored weights that a safetensors file may have.
inline constexpr StoredType kStoredTypes[] = {StoredType::kF32, StoredType::kF16, StoredType::kBf16};

/// The types whose numbers come in blocks.
inline constexpr StoredType kBlockTypes[] = {StoredType::kQ8_0, StoredType::kQ4_0, StoredType::kQ4_1,
                                             StoredType::kQ5_0, StoredType::kQ5_1, StoredType::kQ4K,
                                             StoredType::kQ5K,  StoredType::kQ6K,  StoredType::kNf4};

/// The places of the scales in a block: halves, or for NF4 a float.
inline std::vector<Index> ScalePlaces(StoredType type) {
  if (type == StoredType::kQ6K) return {208};
  const bool two =
      type == StoredType::kQ4_1 || type == StoredType::kQ5_1 || type == StoredType::kQ4K || type == StoredType::kQ5K;
  return two ? std::vector<Index>{0, 2} : std::vector<Index>{0};
}

/// A tensor of random bytes in blocks of `type`. Scales are random finite numbers of any size and sign; with `tame`,
/// from 1/64 to 1/32, so that products of them stay near 1.
inline StoredTensor RandomBlocks(StoredType type, Shape shape, uint64_t seed, bool tame = true) {
  const Random random(seed, 0);
  const Index bytes = BytesOf(type, shape.size()), block = BytesOf(type);
  const auto storage = std::make_shared<std::vector<uint64_t>>(static_cast<size_t>(bytes) / 8 + 1);
  for (size_t i = 0; i < storage->size(); ++i) (*storage)[i] = random.Bits(i);
  char* const to = reinterpret_cast<char*>(storage->data());
  for (Index i = 0; i < bytes; i += block) {
    for (const Index place : ScalePlaces(type)) {
      uint16_t half;
      std::memcpy(&half, to + i + place, sizeof(half));
      half = tame ? (half & 0x83FF) | 0x2400 : (half & 0x7C00) == 0x7C00 ? half & 0x83FF : half;
      const float wide = static_cast<float>(Widen(Half{half}));
      type == StoredType::kNf4 ? std::memcpy(to + i, &wide, sizeof(wide))
                               : std::memcpy(to + i + place, &half, sizeof(half));
    }
  }
  return {type, shape, std::shared_ptr<const void>(storage, to)};
}

}  // namespace ampgrad
