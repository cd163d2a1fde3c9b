#pragma once

#include <vector>

#include "autograd/tape.h"

namespace ampgrad::train {

/// AdamW (Loshchilov and Hutter, arXiv:1711.05101) with PyTorch's order and defaults: decoupled decay on every parameter,
/// then the bias-corrected step.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

class AdamW {
 public:
  /// Trains `params`, whichever they are; they must outlive the optimiser.
  AdamW(std::vector<Param*> params, const AdamWOptions& options);

  /// Lets the gradients of the last step go.
  void ZeroGrad();
  /// √Σ‖grad‖² over all parameters.
  double GradNorm() const;
  /// Multiplies all gradients by `factor`.
  void ScaleGrads(double factor);
  /// One step at learning rate `lr`; a parameter that no gradient reached is left alone.
  void Step(double lr);

  const std::vector<Param*>& params() const { return params_; }

 private:
  std::vector<Param*> params_;
  AdamWOptions options_;
  std::vector<Tensor> m_, v_;   // first and second moments, shaped like the parameters
  std::vector<int64_t> steps_;  // taken by each parameter
};

}  // namespace ampgrad::train
