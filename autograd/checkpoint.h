#pragma once

#include <functional>

#include "autograd/tape.h"

namespace ampgrad {

/// f(x), of which a recording pass keeps x alone: the backward pass runs f a second time and takes the gradients from that
/// (Chen et al., "Training deep nets with sublinear memory cost", arXiv:1604.06174). The gradients have the bits that they
/// have without it where x is read by f alone; else f's parts of x's gradient are summed before they join the rest. `f`
/// gets x on another tape, may use parameters through leaves of that tape, must do the same both times, and must stay
/// valid until the backward pass. Where nothing in f(x) is trained this is f(x).
Var Checkpoint(const Var& x, std::function<Var(const Var& x)> f);

}  // namespace ampgrad
