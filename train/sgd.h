#pragma once

#include <vector>

#include "train/optimizer.h"

namespace ampgrad::train {

/// Plain gradient descent, without moments: p ← p·(1 − lr·weight_decay) − lr·dp. The decay is decoupled as AdamW's,
/// which is the same as adding weight_decay·p to the gradient, as torch.optim.SGD does.
class Sgd : public Optimizer {
 public:
  /// Trains all of `params`, which must outlive the optimiser.
  Sgd(const std::vector<Param*>& params, double weight_decay);
  void Step(double lr) override;

 private:
  double weight_decay_;
};

}  // namespace ampgrad::train
