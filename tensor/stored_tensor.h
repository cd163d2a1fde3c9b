#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace ampgrad {

/// A bfloat16 number: the upper 16 bits of a float.
using Bf16 = uint16_t;

/// An IEEE 754 half-precision number: 1 sign bit, 5 bits of exponent, 10 of fraction.
struct Half {
  uint16_t bits;
};

/// Converts to Real, exactly, infinities and NaN included.
inline Real Widen(Real x) { return x; }
#ifdef AMPGRAD_DOUBLE
inline Real Widen(float x) { return x; }
#endif
Real Widen(Bf16 x);
inline Real Widen(Half x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16, size = x.bits & 0x7FFF;
  // Read as a float, the bits have an exponent that is smaller by 127 − 15. The product is exact, of subnormals too.
  const float scaled = std::bit_cast<float>(size << 13) * 0x1p112f;
  const uint32_t finite = std::bit_cast<uint32_t>(scaled), other = 0x7F800000 | size << 13;  // infinity or NaN
  return std::bit_cast<float>(sign | (size < 0x7C00 ? finite : other));
}
/// The nearest bfloat16, ties to even; infinity for values beyond its range, NaN for NaN.
Bf16 ToBf16(float x);
/// The nearest half-precision number, likewise.
Half ToHalf(float x);

/// The type in which numbers are stored in memory or in a file. It does not depend on Real. The last nine are blocks of
/// quantised numbers (blocks.h): ggml's types, and kNf4, the NF4 numbers of bitsandbytes in blocks of our own.
enum class StoredType { kF64, kF32, kF16, kBf16, kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4K, kQ5K, kQ6K, kNf4 };

/// The stored type of a Tensor's numbers.
inline constexpr StoredType kRealType = sizeof(Real) == sizeof(float) ? StoredType::kF32 : StoredType::kF64;

/// The numbers of a block, and the bytes that they take. A type without blocks has blocks of one number.
struct StoredBlock {
  Index numbers;
  Index bytes;
};

/// The one table of block sizes, and of the names that messages use: "BF16", "Q4_K".
constexpr StoredBlock BlockOf(StoredType type) {
  switch (type) {
    case StoredType::kF64:
      return {1, 8};
    case StoredType::kF32:
      return {1, 4};
    case StoredType::kF16:
    case StoredType::kBf16:
      return {1, 2};
    case StoredType::kQ8_0:
      return {32, 34};
    case StoredType::kQ4_0:
      return {32, 18};
    case StoredType::kQ4_1:
    case StoredType::kNf4:
      return {32, 20};
    case StoredType::kQ5_0:
      return {32, 22};
    case StoredType::kQ5_1:
      return {32, 24};
    case StoredType::kQ4K:
      return {256, 144};
    case StoredType::kQ5K:
      return {256, 176};
    case StoredType::kQ6K:
      return {256, 210};
  }
  return {1, 0};
}
const char* ToString(StoredType type);

/// Whether a type stores blocks of more than one number.
constexpr bool HasBlocks(StoredType type) { return BlockOf(type).numbers > 1; }
/// Bytes of one block; of one number, if the type has no blocks.
constexpr Index BytesOf(StoredType type) { return BlockOf(type).bytes; }
/// Bytes of `numbers` numbers, whole blocks.
constexpr Index BytesOf(StoredType type, Index numbers) {
  return numbers / BlockOf(type).numbers * BlockOf(type).bytes;
}

/// Casts `data` to a pointer to numbers of `type`, calls body(numbers) with it, and returns the result. Throws
/// std::logic_error for a type with blocks.
template <class Body>
auto WithNumbers(StoredType type, const void* data, Body body) {
  if (HasBlocks(type))
    throw std::logic_error(std::string("[stored_tensor] ") + ToString(type) + " has no numbers alone");
  if (type == StoredType::kF16) return body(static_cast<const Half*>(data));
  if (type == StoredType::kBf16) return body(static_cast<const Bf16*>(data));
#ifdef AMPGRAD_DOUBLE
  if (type == StoredType::kF32) return body(static_cast<const float*>(data));
#endif
  return body(static_cast<const Real*>(data));
}

/// A read-only tensor in its stored type, most often in a mapped file. Its numbers are widened to Real where they are
/// used. It is row-major, or a matrix whose transpose is row-major in memory, and has at most four dimensions; its type
/// is not wider than Real. Rows in memory are whole blocks.
class StoredTensor {
 public:
  /// `data` points to shape.size() numbers of `type` and keeps their storage alive. Throws std::invalid_argument for a
  /// type that is wider than Real, and for rows that are no multiple of the type's block.
  StoredTensor(StoredType type, Shape shape, std::shared_ptr<const void> data);
  /// The same in memory that is counted as a Tensor's: `storage`, of at least as many bytes, which StorageOf gives.
  StoredTensor(StoredType type, Shape shape, const Tensor& storage);
  /// Shares the storage of `tensor`.
  explicit StoredTensor(const Tensor& tensor);
  /// The transpose [cols, rows] of a matrix, in the same storage.
  StoredTensor Transposed() const;

  StoredType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  /// Whether it is the transpose of what data() points to.
  bool transposed() const { return transposed_; }
  const void* data() const { return data_.get(); }
  Index bytes() const { return BytesOf(type_, shape_.size()); }
  /// Bytes in a mapped file, in memory that is not counted as a Tensor's.
  Index MappedBytes() const { return mapped_ ? bytes() : 0; }
  /// All numbers, in a Tensor's storage; absent if no Tensor owns them or they lie transposed.
  Tensor tensor() const { return transposed_ ? Tensor() : tensor_; }

  /// All numbers in Real: `tensor()` itself unless it is absent, else a copy.
  Tensor Widened() const;
  /// Rows `ids` of the matrix view [rows, cols], as a copy [number of ids, cols]. Ids are not checked.
  Tensor WidenedRows(const std::vector<Index>& ids) const;
  /// Columns `ids` of the matrix view, as the rows of a copy [ids, rows].
  Tensor WidenedColumns(const std::vector<Index>& ids) const;

 private:
  StoredType type_;
  Shape shape_;
  std::shared_ptr<const void> data_;
  Tensor tensor_;
  bool transposed_ = false, mapped_ = true;
};

/// Memory for `numbers` numbers of a type, whole blocks; not initialised.
Tensor StorageOf(StoredType type, Index numbers);

/// The numbers of `x` in a narrower type, in storage of their own: F32, F16 and BF16 round ties to even; Q8_0, Q4_0 and
/// NF4 are quantised as blocks.h says. Throws std::invalid_argument for another type, for rows that are no multiple of
/// the type's block, and for numbers that a block cannot hold.
StoredTensor Rounded(const Tensor& x, StoredType type);

}  // namespace ampgrad
