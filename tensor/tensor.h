#pragma once

#include <memory>
#include <vector>

#include "tensor/shape.h"

namespace ampgrad {

/// A contiguous row-major block of Real with shared ownership. Copying a Tensor shares its storage; `Clone` copies the
/// numbers. Views exist for reshapes and leading-axis slices only, so `data()` is always dense.
class Tensor {
 public:
  /// An absent tensor: no storage, no elements, `empty()` is true.
  Tensor() = default;
  /// An absent tensor whose shape is known already.
  static Tensor Absent(Shape shape);
  /// Zeros.
  explicit Tensor(Shape shape);
  /// Storage that the caller fills before reading.
  static Tensor Uninitialized(Shape shape);
  /// Throws std::invalid_argument when the number of `values` differs from the size of the shape.
  static Tensor FromValues(Shape shape, const std::vector<Real>& values);
  static Tensor Scalar(Real value) { return FromValues({}, {value}); }

  bool empty() const { return data_ == nullptr; }
  /// Whether another Tensor holds the same storage.
  bool IsShared() const { return data_.use_count() > 1; }
  /// The storage, for owners that hold no Tensor.
  std::shared_ptr<const Real> storage() const { return data_; }
  const Shape& shape() const { return shape_; }
  Index size() const { return empty() ? 0 : shape_.size(); }
  Index rows() const { return shape_.rows(); }
  Index cols() const { return shape_.cols(); }
  Index dim(int i) const { return shape_.dim(i); }

  /// The numbers, row by row; null if absent. Neither `row` nor [] checks its index.
  Real* data() { return data_.get(); }
  const Real* data() const { return data_.get(); }
  /// Row `i` of the matrix view [rows, cols].
  Real* row(Index i) { return data() + i * cols(); }
  const Real* row(Index i) const { return data() + i * cols(); }
  Real& operator[](Index i) { return data_.get()[i]; }
  Real operator[](Index i) const { return data_.get()[i]; }
  Real* begin() { return data(); }
  Real* end() { return data() + size(); }
  const Real* begin() const { return data(); }
  const Real* end() const { return data() + size(); }

  void Fill(Real value);
  Tensor Clone() const;
  /// The same storage under another shape of equal size; throws std::invalid_argument otherwise.
  Tensor Reshape(Shape shape) const;
  /// Rows [begin, end) of the matrix view [rows, cols], as a tensor [end − begin, cols] that shares the storage. Throws
  /// std::invalid_argument when they are not within it.
  Tensor Rows(Index begin, Index end) const;
  /// Columns [begin, end) of the matrix view [rows, cols], as a copy [rows, end − begin]. Throws as Rows does.
  Tensor Columns(Index begin, Index end) const;

  /// Bytes of tensor storage alive in this process, for tests and memory reports.
  static Index LiveBytes();
  /// The largest value of LiveBytes() since the start or since ResetPeakBytes().
  static Index PeakBytes();
  static void ResetPeakBytes();

 private:
  Shape shape_;
  std::shared_ptr<Real> data_;
};

}  // namespace ampgrad
