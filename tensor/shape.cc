#include "tensor/shape.h"

#include <stdexcept>

namespace ampgrad {

Shape::Shape(std::initializer_list<Index> dims) {
  if (dims.size() > kMaxRank) {
    throw std::invalid_argument("[shape] expected at most 4 dimensions, found " + std::to_string(dims.size()));
  }
  for (const Index dim : dims) {
    if (dim < 0) throw std::invalid_argument("[shape] expected extents >= 0, found " + std::to_string(dim));
    if (__builtin_mul_overflow(size_, dim, &size_)) {
      throw std::invalid_argument("[shape] the number of elements does not fit in 63 bits");
    }
    dims_[rank_++] = dim;
  }
}

Index Shape::rows() const {
  Index rows = 1;
  for (int i = 0; i + 1 < rank_; ++i) rows *= dims_[i];
  return rows;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(dims_[i]);
  return text + "]";
}

bool operator==(const Shape& a, const Shape& b) { return a.rank_ == b.rank_ && a.dims_ == b.dims_; }

}  // namespace ampgrad
