#pragma once

#include <cstdint>
#include <vector>

#include "autograd/tape.h"

namespace ampgrad::train {

/// What every optimiser does with the gradients of its parameters. How a step uses them is the optimiser's own.
class Optimizer {
 public:
  /// A parameter and its optimiser state.
  struct Slot {
    Param* param;
    Tensor m, v;        // first and second moments, shaped like the parameter; absent where the optimiser has none
    int64_t steps = 0;  // steps taken so far
  };

  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step at learning rate `lr`; a parameter without a gradient is left unchanged.
  virtual void Step(double lr) = 0;

  /// Frees all gradients.
  void ZeroGrad();
  /// √Σ‖grad‖² over all parameters.
  double GradNorm() const;
  /// Multiplies all gradients by `factor`.
  void ScaleGrads(double factor);

  const std::vector<Slot>& slots() const { return slots_; }
  /// For a run that goes on from its state on disk.
  std::vector<Slot>& slots() { return slots_; }

 protected:
  Optimizer() = default;

  std::vector<Slot> slots_;
};

}  // namespace ampgrad::train
