#pragma once

#include <cstdint>
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
  /// A parameter and what is known of its gradients.
  struct Slot {
    Param* param;
    Tensor m, v;        // first and second moments, shaped like the parameter
    int64_t steps = 0;  // that it has taken
  };

  /// Trains `params`, whichever they are; they must outlive the optimiser.
  AdamW(const std::vector<Param*>& params, const AdamWOptions& options);

  /// Lets the gradients of the last step go.
  void ZeroGrad();
  /// √Σ‖grad‖² over all parameters.
  double GradNorm() const;
  /// Multiplies all gradients by `factor`.
  void ScaleGrads(double factor);
  /// One step at learning rate `lr`; a parameter that no gradient reached is left alone.
  void Step(double lr);

  const std::vector<Slot>& slots() const { return slots_; }

 private:
  AdamWOptions options_;
  std::vector<Slot> slots_;
};

}  // namespace ampgrad::train
