#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tensor/io/gguf/ggml_type.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::io {

/// A value in the header of a GGUF file.
using GgufValue = std::variant<std::string, uint32_t, int32_t, float, bool, std::vector<std::string>,
                               std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>>;
using GgufValues = std::vector<std::pair<std::string, GgufValue>>;

/// The name, type and shape of a tensor to be written. The shape is that of a Tensor, rows [.., row length].
struct GgufTensorPlan {
  std::string name;
  GgmlType type;
  Shape shape;
};

/// Writes a GGUF file, version 3, tensor by tensor, so that only one of them at a time must be in memory. Values and
/// tensors keep their order. The file appears whole or not at all (`AtomicFile`).
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufWriter {
 public:
  /// Writes the header. Throws std::invalid_argument for what no reader accepts: a key or name that is repeated or too
  /// long, a tensor without dimensions, a row that is no multiple of its type's block. Throws std::runtime_error when
  /// writing fails, as the functions below do.
  GgufWriter(const std::filesystem::path& path, const GgufValues& values, std::vector<GgufTensorPlan> tensors);

  /// Appends the next tensor, of type F32, F16 or BF16, its numbers rounded to it, ties to even. Throws
  /// std::invalid_argument when no tensor is left, when `value` has another shape, when its type is another, or when a
  /// number is not finite in it.
  void Write(const Tensor& value);
  /// Appends the next tensor, of any type, as the `bytes` of its blocks, row by row. Throws std::invalid_argument for
  /// another number of bytes than the tensor has.
  void WriteBlocks(const void* data, Index bytes);

  /// Puts the file in place. Throws std::logic_error when tensors are missing.
  void Commit();

 private:
  const GgufTensorPlan& Next() const;
  void Finish(Index bytes);

  std::filesystem::path path_;
  std::vector<GgufTensorPlan> tensors_;
  size_t written_ = 0;  // tensors
  AtomicFile file_;
};

}  // namespace ampgrad::io
