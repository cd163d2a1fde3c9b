#pragma once

#include <vector>

#include "train/optimizer.h"

namespace ampgrad::train {

/// AdamW (Loshchilov and Hutter, arXiv:1711.05101) with PyTorch's order and defaults: decoupled decay on every
/// parameter, then the bias-corrected step.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

class AdamW : public Optimizer {
 public:
  /// Trains all of `params`, which must outlive the optimiser.
  AdamW(const std::vector<Param*>& params, const AdamWOptions& options);
  void Step(double lr) override;

 private:
  AdamWOptions options_;
};

}  // namespace ampgrad::train
