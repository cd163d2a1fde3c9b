#include "ct/centre.h"

#include "tensor/kernels/gemm/widen.h"

namespace ampgrad::ct {

Shape Centre::shape() const {
  const Shape& shape = weight_.shape();
  return transposed_ ? Shape{shape.cols(), shape.rows()} : shape;
}

kernels::Init Centre::WidenedIn(Tensor& w) const {
  if (!transposed_ && weight_.type() == kRealType) {
    return {static_cast<const Real*>(weight_.data()), weight_.shape().rank() == 1 ? 0 : w.cols()};
  }
  kernels::WidenMatrix(w.rows(), w.cols(), kernels::OperandOf(weight_, transposed_), w.data());
  return {w.data(), w.cols()};
}

}  // namespace ampgrad::ct
