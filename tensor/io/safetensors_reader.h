#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor/io/safetensors_header.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::io {

class MappedFile;

/// A safetensors file, mapped for reading. Tensors are read on demand, from several threads if wanted. Copies of a
/// reader share the mapping (`ReportShrunkFiles` says what happens when the file is cut short). Every error is a
/// std::runtime_error that names the file and, if it concerns a tensor, the tensor.
class SafetensorsReader {
 public:
  /// Opens a regular file and checks its layout (`ParseSafetensorsHeader`); the data is not read yet.
  explicit SafetensorsReader(const std::filesystem::path& path);

  /// The path, for messages.
  const std::string& file() const;
  const SafetensorsHeader& header() const { return header_; }
  bool Has(const std::string& name) const { return by_name_.contains(name); }
  /// The header's entry for a tensor.
  const TensorEntry& Entry(const std::string& name) const;
  /// The shape of a tensor as a Shape, which has at most four dimensions.
  Shape ShapeOf(const std::string& name) const;

  /// The numbers of an F32, F64, F16 or BF16 tensor of at most four dimensions, rounded to Real where Real is narrower.
  /// Refuses other dtypes, NaN, infinity, and numbers that round to infinity; the message names the first of them.
  Tensor ReadReal(const std::string& name) const;

  /// An F32, F16 or BF16 tensor in its place in the mapping, which then lives as long as the result. A copy if its
  /// address is not aligned for its type. For an F64 tensor, the result of ReadReal. Refuses what ReadReal refuses.
  StoredTensor ReadStored(const std::string& name) const;

  /// The bytes of a tensor of any dtype. Throws std::runtime_error unless its dtype is `dtype`; "" stands for any.
  std::string ReadBytes(const std::string& name, const std::string& dtype) const;

  /// The numbers of an I64 tensor of any shape, in row-major order.
  std::vector<int64_t> ReadInts(const std::string& name) const;

 private:
  [[noreturn]] void FailAt(const TensorEntry& entry, const std::string& message) const;
  [[noreturn]] void FailNotFinite(const TensorEntry& entry, const Shape& shape, const std::string& found,
                                  Index index) const;
  const char* Bytes(const TensorEntry& entry) const;
  std::shared_ptr<const void> NumbersAt(const char* bytes, uint64_t size, Index alignment) const;
  template <typename Stored>
  Tensor ReadAs(const TensorEntry& entry, Shape shape) const;

  std::shared_ptr<const MappedFile> file_;
  uint64_t data_start_ = 0;  // bytes, from the start of the file
  SafetensorsHeader header_;
  std::map<std::string, size_t> by_name_;  // index into the entries
};

}  // namespace ampgrad::io
