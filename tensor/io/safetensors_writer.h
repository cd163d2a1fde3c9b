#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::io {

struct NamedTensor {
  std::string name;
  Tensor value;
};

/// The name, type and shape of a tensor to be written.
struct TensorPlan {
  std::string name;
  StoredType type;
  Shape shape;
};

/// Writes a safetensors file tensor by tensor, so that only one of them at a time must be in memory. The header comes
/// first, so all names, types and shapes are declared before any number. The file's bytes depend only on the arguments.
/// The file appears whole or not at all (`AtomicFile`).
class SafetensorsWriter {
 public:
  /// Orders the tensors as the reference writer does: the widest types first, then by name. Throws
  /// std::invalid_argument for what no reader accepts: a name that is repeated, reserved or not UTF-8, or a header over
  /// kMaxHeaderBytes.
  /// Throws std::runtime_error when writing fails, as `Write` and `Commit` do.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors,
                    const std::map<std::string, std::string>& metadata);

  /// The order in which the tensors must be written.
  const std::vector<TensorPlan>& order() const { return order_; }

  /// Appends the next tensor, its numbers rounded to its type, ties to even. Throws std::invalid_argument when no
  /// tensor is left, when `value` has another shape, or when a number is not finite in the stored type.
  void Write(const StoredTensor& value);
  void Write(const Tensor& value) { Write(StoredTensor(value)); }

  /// Puts the file in place. Throws std::logic_error when tensors are missing.
  void Commit();

 private:
  std::filesystem::path path_;
  std::vector<TensorPlan> order_;
  size_t written_ = 0;  // tensors
  AtomicFile file_;
};

/// Writes a whole file at once. Throws std::invalid_argument also for an absent tensor.
void WriteSafetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata, StoredType type = StoredType::kF32);

}  // namespace ampgrad::io
