#include "train/adamw.h"

#include <cmath>

#include "tensor/kernels/kernels.h"

namespace ampgrad::train {

AdamW::AdamW(const std::vector<Param*>& params, const AdamWOptions& options) : options_(options) {
  for (Param* param : params) slots_.push_back({param, Tensor(param->value.shape()), Tensor(param->value.shape())});
}

void AdamW::Step(double lr) {
  const auto& [beta1, beta2, eps, weight_decay] = options_;
  for (Slot& slot : slots_) {
    Param& param = *slot.param;
    if (param.grad.empty()) continue;
    const double t = static_cast<double>(++slot.steps);
    const kernels::AdamWStep step{.beta1 = static_cast<Real>(beta1),
                                  .rest1 = static_cast<Real>(1 - beta1),
                                  .beta2 = static_cast<Real>(beta2),
                                  .rest2 = static_cast<Real>(1 - beta2),
                                  .decay = static_cast<Real>(1 - lr * weight_decay),
                                  .rate = static_cast<Real>(lr / (1 - std::pow(beta1, t))),
                                  .unbias2 = static_cast<Real>(1 / (1 - std::pow(beta2, t))),
                                  .eps = static_cast<Real>(eps)};
    kernels::AdamW(step, param.grad.data(), param.value.data(), slot.m.data(), slot.v.data(), param.value.size());
  }
}

}  // namespace ampgrad::train
