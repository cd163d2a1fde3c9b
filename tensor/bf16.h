#pragma once

#include <cstdint>
#include <memory>

#include "tensor/tensor.h"

namespace ampgrad {

/// A bfloat16 number: the upper 16 bits of a float.
using Bf16 = uint16_t;

/// The number itself; exact.
Real Widen(Bf16 x);
/// The nearest bfloat16, ties to even; infinity for what lies beyond its range, NaN for NaN.
Bf16 ToBf16(float x);

/// A tensor of bfloat16 numbers that is only read: a frozen weight as it lies in a file, most often mapped from there. At
/// most four dimensions, row-major.
class Bf16Tensor {
 public:
  /// `data` holds shape.size() numbers and keeps alive whatever they lie in.
  Bf16Tensor(Shape shape, std::shared_ptr<const Bf16> data) : shape_(shape), data_(std::move(data)) {}

  const Shape& shape() const { return shape_; }
  const Bf16* data() const { return data_.get(); }
  /// Row `i` of the matrix view [rows, cols].
  const Bf16* row(Index i) const { return data() + i * shape_.cols(); }

  /// A copy in Real.
  Tensor Widened() const;

 private:
  Shape shape_;
  std::shared_ptr<const Bf16> data_;
};

}  // namespace ampgrad
