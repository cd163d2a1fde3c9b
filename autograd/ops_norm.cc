#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {

// LayerNorm   y = x̂ ⊙ gain + bias,  x̂ = (x − mean)·rstd
//   shapes    x, y [N, C]   gain, bias [C]   mean, rstd [N]
//   forward   per row: mean = Σx/C,  rstd = 1/√(Σ(x − mean)²/C + eps)
//   backward  with g = dy ⊙ gain:  dx += rstd·(g − mean(g) − x̂·mean(g ⊙ x̂))
//             dgain += Σ_n dy ⊙ x̂,  dbias += Σ_n dy
//   saves     x, gain, and mean and rstd (2N numbers); x̂ (N·C) is computed again
Var LayerNorm(const Var& x, const Var& gain, const Var& bias, Real eps) {
  const Index rows = x.shape().rows(), cols = x.shape().cols();
  CheckShapes(x.shape().rank() == 2 && gain.shape() == Shape{cols} && bias.shape() == Shape{cols}, "layer_norm",
              "x [N, C], gain [C], bias [C]", {{"x", x.shape()}, {"gain", gain.shape()}, {"bias", bias.shape()}});

  Tensor y = Tensor::Uninitialized(x.shape()), mean = Tensor::Uninitialized({rows}),
         rstd = Tensor::Uninitialized({rows});
  kernels::LayerNorm(x.value.data(), gain.value.data(), bias.value.data(), rows, cols, eps, y.data(), mean.data(),
                     rstd.data());

  const auto backward = [x = x.value, gain = gain.value, mean, rstd](const Tensor& dy, InputGrads& d) {
    Tensor *dgain = d.AddWithin(1), *dbias = d.AddWithin(2);
    kernels::LayerNormBackward(x.data(), gain.data(), mean.data(), rstd.data(), dy.data(), x.rows(), x.cols(),
                               d.AddTo(0), dgain ? dgain->data() : nullptr, dbias ? dbias->data() : nullptr);
  };
  return x.tape->Record("layer_norm", y, {&x, &gain, &bias}, backward);
}

// RmsNorm   y = x·rstd ⊙ gain
//   shapes    x, y [N, C]   gain [C]   rstd [N]
//   forward   per row: rstd = 1/√(Σx²/C + eps)
//   backward  with g = dy ⊙ gain and x̂ = x·rstd:  dx += rstd·(g − x̂·mean(g ⊙ x̂)),  dgain += Σ_n dy ⊙ x̂
//   saves     x, gain, rstd (N numbers)
Var RmsNorm(const Var& x, const Var& gain, Real eps) {
  const Index rows = x.shape().rows(), cols = x.shape().cols();
  CheckShapes(x.shape().rank() == 2 && gain.shape() == Shape{cols}, "rms_norm", "x [N, C], gain [C]",
              {{"x", x.shape()}, {"gain", gain.shape()}});

  Tensor y = Tensor::Uninitialized(x.shape()), rstd = Tensor::Uninitialized({rows});
  kernels::RmsNorm(x.value.data(), gain.value.data(), rows, cols, eps, y.data(), rstd.data());

  const auto backward = [x = x.value, gain = gain.value, rstd](const Tensor& dy, InputGrads& d) {
    Tensor* dgain = d.AddWithin(1);
    kernels::RmsNormBackward(x.data(), gain.data(), rstd.data(), dy.data(), x.rows(), x.cols(), d.AddTo(0),
                             dgain ? dgain->data() : nullptr);
  };
  return x.tape->Record("rms_norm", y, {&x, &gain}, backward);
}

}  // namespace ampgrad::ops
