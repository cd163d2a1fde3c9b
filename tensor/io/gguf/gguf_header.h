#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/gguf/ggml_type.h"
#include "tensor/shape.h"

namespace ampgrad::io {

/// The types of values, by the numbers that a file has for them.
enum GgufValueType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
  kTypes
};

/// One tensor of a GGUF file: rows of whole blocks, one after another.
struct GgufTensor {
  std::string name;
  GgmlType type;
  Shape shape;                  // row-major, the row length last: the reverse of the file's order
  uint64_t begin = 0, end = 0;  // bytes, from the start of the file
};

struct GgufHeader {
  nlohmann::json values;  // an object of the file's keys; arrays as arrays
  std::vector<GgufTensor> tensors;
};

/// Reads the header of a GGUF file, version 2 or 3, whose whole content is `bytes`, and checks everything that can be
/// checked without the numbers: every tensor has a type that is read here, rows of whole blocks, an aligned place
/// within the file that no other tensor has, and a name of its own. A header has at most 100 MB and four million
/// values. Throws std::runtime_error in a sentence that begins with `file`.
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
GgufHeader ParseGgufHeader(std::string_view bytes, const std::string& file);

}  // namespace ampgrad::io
