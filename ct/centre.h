#pragma once

#include <utility>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::ct {

/// The C of W = S·B + C: one row for all (the mean row μ), or a row for each of W's (the pretrained W₀). W₀ is kept as
/// stored; it is widened where W is made.
class Centre {
 public:
  /// One row [d], or rows [n, d].
  Centre(const Tensor& rows) : rows_(rows) {}  // NOLINT: a Tensor is a Centre
  /// Rows [n, d].
  explicit Centre(StoredTensor rows) : rows_(std::move(rows)) {}

  /// [d] or [n, d].
  const Shape& shape() const { return rows_.shape(); }
  /// C as it is stored.
  const StoredTensor& stored() const { return rows_; }
  /// Bytes that are not in a Tensor.
  Index MappedBytes() const { return rows_.MappedBytes(); }
  /// C as the initial value of a product whose result is `w` [n, d]. Where it must be widened or transposed, w is used.
  kernels::Init WidenedIn(Tensor& w) const;

 private:
  StoredTensor rows_;
};

}  // namespace ampgrad::ct
