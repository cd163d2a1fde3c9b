#pragma once

#include <cstdint>
#include <vector>

#include "autograd/tape.h"

namespace ampgrad::train {

/// AdamW (Loshchilov and Hutter, arXiv:1711.05101) with PyTorch's order and defaults: decoupled decay on every
/// parameter, then the bias-corrected step.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

class AdamW {
 public:
  /// A parameter and its optimiser state.
  struct Slot {
    Param* param;
    Tensor m, v;        // first and second moments, shaped like the parameter
    int64_t steps = 0;  // steps taken so far
  };

  /// Trains all of `params`, which must outlive the optimiser.
  AdamW(const std::vector<Param*>& params, const AdamWOptions& options);

  /// Frees all gradients.
  void ZeroGrad();
  /// √Σ‖grad‖² over all parameters.
  double GradNorm() const;
  /// Multiplies all gradients by `factor`.
  void ScaleGrads(double factor);
  /// One step at learning rate `lr`; a parameter without a gradient is left unchanged.
  void Step(double lr);

  const std::vector<Slot>& slots() const { return slots_; }

 private:
  AdamWOptions options_;
  std::vector<Slot> slots_;
};

}  // namespace ampgrad::train
