#include "train/adamw.h"

#include <cmath>
#include <utility>

#include "tensor/kernels/kernels.h"

namespace ampgrad::train {

AdamW::AdamW(std::vector<Param*> params, const AdamWOptions& options)
    : params_(std::move(params)), options_(options), steps_(params_.size(), 0) {
  for (const Param* param : params_) {
    m_.emplace_back(param->value.shape());
    v_.emplace_back(param->value.shape());
  }
}

void AdamW::ZeroGrad() {
  for (Param* param : params_) param->grad = Tensor();
}

double AdamW::GradNorm() const {
  double sum = 0;
  for (const Param* param : params_) {
    if (!param->grad.empty()) sum += kernels::SumSquares(param->grad.data(), param->grad.size());
  }
  return std::sqrt(sum);
}

void AdamW::ScaleGrads(double factor) {
  for (Param* param : params_) {
    if (!param->grad.empty()) kernels::Scale(static_cast<Real>(factor), param->grad.data(), param->grad.size());
  }
}

void AdamW::Step(double lr) {
  const auto& [beta1, beta2, eps, weight_decay] = options_;
  for (size_t i = 0; i < params_.size(); ++i) {
    Param& param = *params_[i];
    if (param.grad.empty()) continue;
    const double t = static_cast<double>(++steps_[i]);
    const kernels::AdamWStep step{.beta1 = static_cast<Real>(beta1),
                                  .rest1 = static_cast<Real>(1 - beta1),
                                  .beta2 = static_cast<Real>(beta2),
                                  .rest2 = static_cast<Real>(1 - beta2),
                                  .decay = static_cast<Real>(1 - lr * weight_decay),
                                  .rate = static_cast<Real>(lr / (1 - std::pow(beta1, t))),
                                  .unbias2 = static_cast<Real>(1 / (1 - std::pow(beta2, t))),
                                  .eps = static_cast<Real>(eps)};
    kernels::AdamW(step, param.grad.data(), param.value.data(), m_[i].data(), v_[i].data(), param.value.size());
  }
}

}  // namespace ampgrad::train
