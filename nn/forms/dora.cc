#include "nn/forms/dora.h"

#include <algorithm>
#include <cmath>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::nn {

Dora::Dora(FrozenBase base, Factors factors, Tensor magnitude, Chain chain)
    : LowRank(std::move(base), std::move(factors), TrainedFactors::kBoth, chain) {
  const Tensor rows = UpdateForm::base().OutIn();
  for (Index o = 0; o < rows.rows(); ++o) base_squares_.push_back(kernels::SumSquares(rows.row(o), rows.cols()));
  m_ = {"m." + UpdateForm::base().name, magnitude.empty() ? Norms() : std::move(magnitude), {}};
}

Tensor Dora::Norms() const {
  if (!held_.empty()) return held_.Clone();
  const Tensor &a = a_.value, &b = b_.value;
  const Index out = b.rows(), r = b.cols(), in = a.cols();
  Tensor projected = Tensor::Uninitialized({r, out}), gram = Tensor::Uninitialized({r, r});
  kernels::Gemm(r, out, in, {a.data(), in}, kernels::OperandOf(base().weight, base().layout == ops::Layout::kOutIn), {},
                projected.data(), out);
  kernels::ProductNT(a, a, {gram.data()});

  const double s = scale_;
  Tensor norms = Tensor::Uninitialized({out});
  for (Index o = 0; o < out; ++o) {
    double cross = 0, square = 0;
    for (Index k = 0; k < r; ++k) {
      double row = 0;  // (B·A·Aᵀ)_ok
      for (Index l = 0; l < r; ++l) row += static_cast<double>(b.row(o)[l]) * gram.row(l)[k];
      cross += static_cast<double>(b.row(o)[k]) * projected.row(k)[o];
      square += row * b.row(o)[k];
    }
    norms[o] = static_cast<Real>(std::sqrt(std::max(0.0, base_squares_[o] + 2 * s * cross + s * s * square)));
  }
  return norms;
}

Var Dora::Gains(Tape& tape) {
  Tensor inverse = Norms();
  for (Real& norm : inverse) norm = 1 / norm;
  return ops::Mul(tape.Leaf(m_), tape.Constant(inverse));
}

Var Dora::Make(Tape& tape) { return ops::ScaleRows(LowRank::Make(tape), Gains(tape)); }

Var Dora::ApplyFactored(Input& input, const Var* bias) {
  return ops::ScaleColumns(LowRank::ApplyFactored(input, nullptr), Gains(*input.x().tape), bias);
}

}  // namespace ampgrad::nn
