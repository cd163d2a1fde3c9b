#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ampgrad {

/// The bytes of a GGUF file, piece by piece, right or wrong.
struct GgufBytes {
  std::string bytes;

  template <class Number>
  GgufBytes& Add(Number number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
    return *this;
  }
  GgufBytes& Text(const std::string& text) {
    Add<uint64_t>(text.size());
    bytes += text;
    return *this;
  }
  GgufBytes& Start(uint64_t tensors, uint64_t values, uint32_t version = 3) {
    bytes += "GGUF";
    return Add(version).Add(tensors).Add(values);
  }
  GgufBytes& U32(const std::string& key, uint32_t value) { return Text(key).Add<uint32_t>(4).Add(value); }
  GgufBytes& String(const std::string& key, const std::string& value) { return Text(key).Add<uint32_t>(8).Text(value); }
  /// `extents` in the file's order, the row length first.
  GgufBytes& Tensor(const std::string& name, const std::vector<uint64_t>& extents, uint32_t type, uint64_t offset) {
    Text(name).Add(static_cast<uint32_t>(extents.size()));
    for (const uint64_t extent : extents) Add(extent);
    return Add(type).Add(offset);
  }
  /// Zeros up to a multiple of `alignment`, then `data` zeros.
  GgufBytes& Data(uint64_t data, uint64_t alignment = 32) {
    bytes.append((alignment - bytes.size() % alignment) % alignment + data, '\0');
    return *this;
  }
};

}  // namespace ampgrad
