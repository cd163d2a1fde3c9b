#include "autograd/checkpoint.h"

#include <memory>
#include <utility>

namespace ampgrad {

// Checkpoint   y = f(x)
//   shapes    x, y as f has them
//   forward   f, whose own tape is dropped
//   backward  f once more, recorded, and back from dy: dx, and the gradients of f's parameters in their own buffers
//   saves     x
Var Checkpoint(const Var& x, std::function<Var(const Var&)> f) {
  if (x.tape->mode() == Tape::Mode::kInference) return f(x);
  // Runs f(x) on its own tape. It records nothing if all of f's parameters are frozen and x needs no gradient.
  Tensor y;
  {
    Tape first;
    first.set_watch(x.tape->watch());
    first.set_noise(x.tape->noise());
    Param start{"x", x.value, {}, x.needs_grad()};
    const Var out = f(first.Leaf(start));
    if (!out.needs_grad()) return x.tape->Constant(out.value);
    y = out.value;
  }
  // x itself may need no gradient, but the backward pass must still reach the node.
  const auto anchor = std::make_shared<Param>(Param{"checkpoint", Tensor({1}), {}});
  const Var reached = x.tape->Leaf(*anchor);
  const auto backward = [f = std::move(f), value = x.value, trained = x.needs_grad(), anchor](const Tensor& dy,
                                                                                              InputGrads& d) {
    Tape again;
    again.set_watch(d.tape().watch());
    again.set_noise(d.tape().noise());
    Param start{"x", value, {}, trained};
    again.Backward(f(again.Leaf(start)), dy);
    if (trained) d.Add(0, start.grad);
  };
  return x.tape->Record("checkpoint", y, {&x, &reached}, backward);
}

}  // namespace ampgrad
