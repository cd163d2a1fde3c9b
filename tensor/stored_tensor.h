#pragma once

#include <cstdint>
#include <memory>
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
Real Widen(Half x);
/// The nearest bfloat16, ties to even; infinity for values beyond its range, NaN for NaN.
Bf16 ToBf16(float x);
/// The nearest half-precision number, likewise.
Half ToHalf(float x);

/// The type in which numbers are stored in memory or in a file. It does not depend on Real.
enum class StoredType { kF64, kF32, kF16, kBf16 };

/// The stored type of a Tensor's numbers.
inline constexpr StoredType kRealType = sizeof(Real) == sizeof(float) ? StoredType::kF32 : StoredType::kF64;

/// Bytes of one number.
constexpr Index BytesOf(StoredType type) { return type == StoredType::kF64 ? 8 : type == StoredType::kF32 ? 4 : 2; }

/// Casts `data` to a pointer to numbers of `type`, calls body(numbers) with it, and returns the result.
template <class Body>
auto WithNumbers(StoredType type, const void* data, Body body) {
  if (type == StoredType::kF16) return body(static_cast<const Half*>(data));
  if (type == StoredType::kBf16) return body(static_cast<const Bf16*>(data));
#ifdef AMPGRAD_DOUBLE
  if (type == StoredType::kF32) return body(static_cast<const float*>(data));
#endif
  return body(static_cast<const Real*>(data));
}

/// A read-only tensor in its stored type, most often in a mapped file. Its numbers are widened to Real where they are
/// used. It is row-major and has at most four dimensions; its type is not wider than Real.
class StoredTensor {
 public:
  /// `data` points to shape.size() numbers of `type` and keeps their storage alive. Throws std::invalid_argument for a
  /// type that is wider than Real.
  StoredTensor(StoredType type, Shape shape, std::shared_ptr<const void> data);
  /// Shares the storage of `tensor`.
  explicit StoredTensor(const Tensor& tensor);

  StoredType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  const void* data() const { return data_.get(); }
  Index bytes() const { return shape_.size() * BytesOf(type_); }
  /// The Tensor that owns the storage; absent if no Tensor does.
  const Tensor& tensor() const { return tensor_; }

  /// All numbers in Real: `tensor()` itself unless it is absent, else a copy.
  Tensor Widened() const;
  /// Rows `ids` of the matrix view [rows, cols], as a copy [ids, cols].
  Tensor WidenedRows(const std::vector<Index>& ids) const;
  /// Columns `ids` of the matrix view, as the rows of a copy [ids, rows].
  Tensor WidenedColumns(const std::vector<Index>& ids) const;

 private:
  StoredType type_;
  Shape shape_;
  std::shared_ptr<const void> data_;
  Tensor tensor_;
};

/// The numbers of `x` rounded to a type of 16 or 32 bits, ties to even, in storage of their own.
StoredTensor Rounded(const Tensor& x, StoredType type);

}  // namespace ampgrad
