#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor/bf16.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/tensor.h"

namespace ampgrad::io {

class MappedFile;

/// A safetensors file, mapped for reading. Tensors are read on demand, from several threads if wanted; copies of a reader
/// share the mapping (`MappedFile` tells what becomes of a process whose file is cut short). Every error is a
/// std::runtime_error that names the file and, where there is one, the tensor.
class SafetensorsReader {
 public:
  /// Opens a regular file and checks its layout (`ParseSafetensorsHeader`); the data is not read yet.
  explicit SafetensorsReader(const std::filesystem::path& path);

  /// The path, for messages.
  const std::string& file() const;
  const SafetensorsHeader& header() const { return header_; }
  bool Has(const std::string& name) const { return by_name_.contains(name); }
  /// What the header says of a tensor.
  const TensorEntry& Entry(const std::string& name) const;
  /// The same shape as a Tensor has it: at most four dimensions.
  Shape ShapeOf(const std::string& name) const;

  /// The numbers of an F32, F64, F16 or BF16 tensor of at most four dimensions, rounded to Real where Real is narrower.
  /// Refuses other dtypes, and NaN, infinity and what rounds to infinity, naming the first.
  Tensor ReadReal(const std::string& name) const;

  /// The numbers of a BF16 tensor where they lie in the mapping, which lives as long as they do; a copy where they lie at
  /// an odd address. Refuses other dtypes, and NaN and infinity, naming the first.
  Bf16Tensor ReadBf16(const std::string& name) const;

  /// The numbers of an I64 tensor of any shape, in row-major order.
  std::vector<int64_t> ReadInts(const std::string& name) const;

 private:
  [[noreturn]] void FailAt(const TensorEntry& entry, const std::string& message) const;
  [[noreturn]] void FailNotFinite(const TensorEntry& entry, const Shape& shape, const std::string& found,
                                  Index index) const;
  const char* Bytes(const TensorEntry& entry) const;
  std::shared_ptr<const Bf16> NumbersAt(const char* bytes, uint64_t size) const;
  template <typename Stored>
  Tensor ReadAs(const TensorEntry& entry, Shape shape) const;

  std::shared_ptr<const MappedFile> file_;
  uint64_t data_start_ = 0;  // bytes, from the start of the file
  SafetensorsHeader header_;
  std::map<std::string, size_t> by_name_;  // index into the entries
};

struct NamedTensor {
  std::string name;
  Tensor value;
};

/// How numbers lie in a file, whatever Real is.
enum class StoredType { kF32, kF64, kBf16 };

/// A tensor of a file that is to be written.
struct TensorPlan {
  std::string name;
  StoredType type;
  Shape shape;
};

/// Writes a safetensors file tensor by tensor, so that one of them at a time need be in memory. The header comes first, so
/// all names, types and shapes are declared before any number. The file's bytes depend on nothing but what is passed; it
/// appears whole or not at all (`AtomicFile`).
class SafetensorsWriter {
 public:
  /// Lays the tensors out as the reference writer does, the widest numbers first and by name among equals.
  /// Throws std::invalid_argument for what no reader would take back: a name that is repeated, reserved or not UTF-8.
  /// Throws std::runtime_error when writing fails, as `Write` and `Commit` do.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors,
                    const std::map<std::string, std::string>& metadata);

  /// The tensors in the order in which they are to be written.
  const std::vector<TensorPlan>& order() const { return order_; }

  /// Appends the numbers of the next tensor, rounded to its type, ties to even. Throws std::invalid_argument when there is
  /// none to come, when `value` has another shape, or for a number that is not finite in the stored type.
  void Write(const Tensor& value);

  /// Puts the file in place. Throws std::logic_error when tensors are missing.
  void Commit();

 private:
  template <typename Stored>
  void WriteAs(const TensorPlan& plan, const Tensor& value);

  std::filesystem::path path_;
  std::vector<TensorPlan> order_;
  size_t written_ = 0;  // tensors
  AtomicFile file_;
};

/// Writes a whole file at once. Throws std::invalid_argument also for an absent tensor.
void WriteSafetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata, StoredType type = StoredType::kF32);

}  // namespace ampgrad::io
