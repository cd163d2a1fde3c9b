#include "train/sgd.h"

#include "tensor/thread_pool.h"

namespace ampgrad::train {

Sgd::Sgd(const std::vector<Param*>& params, double weight_decay) : weight_decay_(weight_decay) {
  for (Param* param : params) slots_.push_back({param, {}, {}});
}

void Sgd::Step(double lr) {
  constexpr Index kChunk = 1 << 14;
  const double decay = 1 - lr * weight_decay_;
  for (Slot& slot : slots_) {
    const Tensor& grad = slot.param->grad;
    if (grad.empty()) continue;
    ++slot.steps;
    Tensor& value = slot.param->value;
    ParallelChunks(value.size(), kChunk, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) value[i] = static_cast<Real>(value[i] * decay - lr * grad[i]);
    });
  }
}

}  // namespace ampgrad::train
