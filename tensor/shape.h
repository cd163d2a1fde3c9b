#pragma once

#include <array>
#include <initializer_list>
#include <string>

#include "tensor/real.h"

namespace ampgrad {

/// The extents of a tensor: up to four dimensions, row-major, the last one contiguous. Rank 0 is a scalar.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  /// Throws std::invalid_argument for more than four dimensions, a negative extent, or a product over 2^63 - 1.
  Shape(std::initializer_list<Index> dims);

  int rank() const { return rank_; }
  /// Extent of dimension `i`; negative `i` counts from the end, as in `dim(-1)`.
  Index dim(int i) const { return dims_[i < 0 ? rank_ + i : i]; }
  /// Number of elements: the product of the extents.
  Index size() const { return size_; }
  /// A tensor seen as a matrix: all leading dimensions as rows, the last as columns. A vector [n] is one row of n
  /// columns, a scalar [1, 1].
  Index cols() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }
  Index rows() const;

  /// "[2, 3]".
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b);
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  std::array<Index, kMaxRank> dims_{};
  int rank_ = 0;
  Index size_ = 1;
};

}  // namespace ampgrad
