#include "train/adamw.h"

#include <cmath>
#include <utility>

#include "tensor/kernels.h"

namespace ampgrad::train {

AdamW::AdamW(std::vector<Param*> params, const AdamWOptions& options) : params_(std::move(params)), options_(options) {
  for (const Param* param : params_) {
    m_.emplace_back(param->value.shape());
    v_.emplace_back(param->value.shape());
  }
}

void AdamW::ZeroGrad() {
  for (Param* param : params_) {
    if (!param->grad.empty()) param->grad.Fill(0);
  }
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
  ++step_;
  const kernels::AdamWStep step{static_cast<Real>(lr),
                                static_cast<Real>(options_.beta1),
                                static_cast<Real>(options_.beta2),
                                static_cast<Real>(options_.eps),
                                static_cast<Real>(options_.weight_decay),
                                static_cast<Real>(1 - std::pow(options_.beta1, step_)),
                                static_cast<Real>(1 - std::pow(options_.beta2, step_))};
  for (size_t i = 0; i < params_.size(); ++i) {
    Param& param = *params_[i];
    if (param.grad.empty()) continue;
    kernels::AdamW(step, param.grad.data(), param.value.data(), m_[i].data(), v_[i].data(), param.value.size());
  }
}

}  // namespace ampgrad::train
