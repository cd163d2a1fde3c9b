#include "train/optimizer.h"

#include <cmath>

#include "tensor/kernels/kernels.h"

namespace ampgrad::train {

void Optimizer::ZeroGrad() {
  for (const Slot& slot : slots_) slot.param->grad = Tensor();
}

double Optimizer::GradNorm() const {
  double sum = 0;
  for (const Slot& slot : slots_) {
    const Tensor& grad = slot.param->grad;
    if (!grad.empty()) sum += kernels::SumSquares(grad.data(), grad.size());
  }
  return std::sqrt(sum);
}

void Optimizer::ScaleGrads(double factor) {
  for (const Slot& slot : slots_) {
    Tensor& grad = slot.param->grad;
    if (!grad.empty()) kernels::Scale(static_cast<Real>(factor), grad.data(), grad.size());
  }
}

}  // namespace ampgrad::train
