#include "ct/centre.h"

#include "tensor/kernels/gemm/widen.h"

namespace ampgrad::ct {

kernels::Init Centre::WidenedIn(Tensor& w) const {
  if (!rows_.transposed() && rows_.type() == kRealType) {
    return {static_cast<const Real*>(rows_.data()), rows_.shape().rank() == 1 ? 0 : w.cols()};
  }
  kernels::WidenMatrix(w.rows(), w.cols(), kernels::OperandOf(rows_, false), w.data());
  return {w.data(), w.cols()};
}

}  // namespace ampgrad::ct
