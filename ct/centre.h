#pragma once

#include <utility>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/stored_tensor.h"

namespace ampgrad::ct {

/// The C of W = S·B + C: one row for all (the mean row μ), or a row for each of W's (the pretrained W₀). W₀ is kept as
/// stored, and may be stored transposed; it is widened where W is made.
class Centre {
 public:
  /// One row [d], or rows [n, d].
  Centre(const Tensor& rows) : weight_(rows) {}  // NOLINT: a Tensor is a Centre
  /// Rows [n, d], or with `transposed` their transpose [d, n].
  Centre(StoredTensor weight, bool transposed) : weight_(std::move(weight)), transposed_(transposed) {}

  /// [d] or [n, d].
  Shape shape() const;
  /// C as it is stored.
  const StoredTensor& stored() const { return weight_; }
  /// Bytes that are not in a Tensor.
  Index MappedBytes() const { return weight_.tensor().empty() ? weight_.bytes() : 0; }
  /// C as the initial value of a product whose result is `w` [n, d]. Where it must be widened or transposed, w is used.
  kernels::Init WidenedIn(Tensor& w) const;

 private:
  StoredTensor weight_;
  bool transposed_ = false;
};

}  // namespace ampgrad::ct
