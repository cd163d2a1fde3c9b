#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {

// Add   y = a + b
//   shapes    a, b, y equal
//   forward   y_i = a_i + b_i
//   backward  da += dy,  db += dy
//   saves     nothing
Var Add(const Var& a, const Var& b) {
  CheckShapes(a.shape() == b.shape(), "add", "equal shapes", {{"a", a.shape()}, {"b", b.shape()}});

  Tensor y = Tensor::Uninitialized(a.shape());
  kernels::Add(a.value.data(), b.value.data(), y.data(), y.size());

  return a.tape->Record("add", y, {&a, &b}, [](const Tensor& dy, InputGrads& d) {
    d.Add(0, dy);
    d.Add(1, dy);
  });
}

// Mul   y = a ⊙ b
//   shapes    a, b, y equal
//   forward   y_i = a_i·b_i
//   backward  da += dy ⊙ b,  db += dy ⊙ a
//   saves     b if a needs a gradient, a if b does
Var Mul(const Var& a, const Var& b) {
  CheckShapes(a.shape() == b.shape(), "mul", "equal shapes", {{"a", a.shape()}, {"b", b.shape()}});

  Tensor y = Tensor::Uninitialized(a.shape());
  kernels::Mul(a.value.data(), b.value.data(), {y.data()}, y.size());

  const auto backward = [a = b.needs_grad() ? a.value : Tensor(), b = a.needs_grad() ? b.value : Tensor()](
                            const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink da = d.AddTo(0)) kernels::Mul(dy.data(), b.data(), da, dy.size());
    if (const kernels::Sink db = d.AddTo(1)) kernels::Mul(dy.data(), a.data(), db, dy.size());
  };
  return a.tape->Record("mul", y, {&a, &b}, backward);
}

// Gelu   y = x·σ(2u),  u = √(2/π)(x + 0.044715x³)
//   shapes    x, y equal
//   forward   the tanh form ½x(1 + tanh u), since ½(1 + tanh u) = σ(2u)
//   backward  dx += dy ⊙ (σ + x·σ(1 − σ)·2u'),  u' = √(2/π)(1 + 3·0.044715x²)
//   saves     x; σ is computed again
Var Gelu(const Var& x) {
  Tensor y = Tensor::Uninitialized(x.shape());
  kernels::Gelu(x.value.data(), y.data(), y.size());

  return x.tape->Record("gelu", y, {&x}, [x = x.value](const Tensor& dy, InputGrads& d) {
    kernels::GeluBackward(x.data(), dy.data(), d.AddTo(0), dy.size());
  });
}

// Silu   y = x·σ(x)
//   shapes    x, y equal
//   forward   y_i = x_i / (1 + e^−x_i)
//   backward  dx += dy ⊙ (σ + x·σ(1 − σ))
//   saves     x; σ is computed again
Var Silu(const Var& x) {
  Tensor y = Tensor::Uninitialized(x.shape());
  kernels::Silu(x.value.data(), y.data(), y.size());

  return x.tape->Record("silu", y, {&x}, [x = x.value](const Tensor& dy, InputGrads& d) {
    kernels::SiluBackward(x.data(), dy.data(), d.AddTo(0), dy.size());
  });
}

}  // namespace ampgrad::ops
