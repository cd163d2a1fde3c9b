#pragma once

#include <functional>

#include "autograd/tape.h"

namespace ampgrad {

/// f(x), but a recording pass keeps only x: the backward pass runs f a second time and takes the gradients from that
/// run (Chen et al., "Training deep nets with sublinear memory cost", arXiv:1604.06174). If only f reads x, the
/// gradients have the same bits as without checkpointing; otherwise f's parts of dx are summed before they are added to
/// the rest. `f` gets x on another tape, may use parameters through leaves of that tape, must do the same both times,
/// and must stay valid until the backward pass. If nothing in f(x) is trained, this is f(x).
Var Checkpoint(const Var& x, std::function<Var(const Var& x)> f);

}  // namespace ampgrad
