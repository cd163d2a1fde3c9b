#include <algorithm>

#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ops {
namespace {

constexpr Index kRowChunk = 64;  // rows of a task

}  // namespace

// Add   y = a + b
//   shapes    a, b, y equal
//   forward   y_i = a_i + b_i
//   backward  da = dy,  db = dy
//   saves     nothing
Var Add(const Var& a, const Var& b) {
  CheckShapes(a.shape() == b.shape(), "add", "equal shapes", {{"a", a.shape()}, {"b", b.shape()}});

  Tensor y = Tensor::Uninitialized(a.shape());
  kernels::Add(a.value.data(), b.value.data(), y.data(), y.size());

  return a.tape->Record("add", y, {&a, &b}, [](const Tensor& dy, InputGrads& d) {
    if (Tensor* da = d[0]) kernels::AddInto(dy.data(), da->data(), dy.size());
    if (Tensor* db = d[1]) kernels::AddInto(dy.data(), db->data(), dy.size());
  });
}

// Mul   y = a ⊙ b
//   shapes    a, b, y equal
//   forward   y_i = a_i·b_i
//   backward  da = dy ⊙ b,  db = dy ⊙ a
//   saves     a, b
Var Mul(const Var& a, const Var& b) {
  CheckShapes(a.shape() == b.shape(), "mul", "equal shapes", {{"a", a.shape()}, {"b", b.shape()}});

  Tensor y = Tensor::Uninitialized(a.shape());
  kernels::Mul(a.value.data(), b.value.data(), y.data(), y.size());

  return a.tape->Record("mul", y, {&a, &b}, [a = a.value, b = b.value](const Tensor& dy, InputGrads& d) {
    if (Tensor* da = d[0]) kernels::AddMul(dy.data(), b.data(), da->data(), dy.size());
    if (Tensor* db = d[1]) kernels::AddMul(dy.data(), a.data(), db->data(), dy.size());
  });
}

// Gelu   y = x·σ(2u),  u = √(2/π)(x + 0.044715x³)
//   shapes    x, y equal
//   forward   the tanh form ½x(1 + tanh u), since ½(1 + tanh u) = σ(2u)
//   backward  dx = dy ⊙ (σ + x·σ(1 − σ)·2u'),  u' = √(2/π)(1 + 3·0.044715x²)
//   saves     x; σ is computed again
Var Gelu(const Var& x) {
  Tensor y = Tensor::Uninitialized(x.shape());
  kernels::Gelu(x.value.data(), y.data(), y.size());

  return x.tape->Record("gelu", y, {&x}, [x = x.value](const Tensor& dy, InputGrads& d) {
    kernels::AddGeluBackward(x.data(), dy.data(), d[0]->data(), dy.size());
  });
}

// Silu   y = x·σ(x)
//   shapes    x, y equal
//   forward   y_i = x_i / (1 + e^−x_i)
//   backward  dx = dy ⊙ (σ + x·σ(1 − σ))
//   saves     x; σ is computed again
Var Silu(const Var& x) {
  Tensor y = Tensor::Uninitialized(x.shape());
  kernels::Silu(x.value.data(), y.data(), y.size());

  return x.tape->Record("silu", y, {&x}, [x = x.value](const Tensor& dy, InputGrads& d) {
    kernels::AddSiluBackward(x.data(), dy.data(), d[0]->data(), dy.size());
  });
}

// Columns   y = x[:, begin : begin + width]
//   shapes    x [N, C]   y [N, width]
//   forward   y_nj = x_n,begin+j
//   backward  dx_n,begin+j = dy_nj, elsewhere nothing
//   saves     nothing
Var Columns(const Var& x, Index begin, Index width) {
  if (x.shape().rank() != 2 || begin < 0 || width < 0 || begin > x.shape().cols() - width) {
    Fail("columns", "expected a matrix with columns " + std::to_string(begin) + ".." + std::to_string(begin) + "+" +
                        std::to_string(width) + ", found x " + x.shape().ToString());
  }

  Tensor y = Tensor::Uninitialized({x.shape().rows(), width});
  ParallelChunks(y.rows(), kRowChunk, [&](Index n, Index end) {
    for (; n < end; ++n) std::copy_n(x.value.row(n) + begin, width, y.row(n));
  });

  return x.tape->Record("columns", y, {&x}, [begin, width](const Tensor& dy, InputGrads& d) {
    Tensor& dx = *d[0];
    ParallelChunks(dy.rows(), kRowChunk, [&](Index n, Index end) {
      for (; n < end; ++n) kernels::AddInto(dy.row(n), dx.row(n) + begin, width);
    });
  });
}

}  // namespace ampgrad::ops
