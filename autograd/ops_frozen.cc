#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ops {

// FrozenLinear   y = x·Wᵀ + b   (Layout::kOutIn)      y = x·W + b   (Layout::kInOut)
//   shapes    x [N, in]   W [out, in] or [in, out], of any stored type   b [out]   y [N, out]
//   forward   y_no = Σ_i x_ni W_oi + b_o, every W_oi widened as the product reads it
//   backward  dx += dy·W  or dy·Wᵀ;   db += Σ_n dy_n;   W is a constant
//   saves     W, in its place
Var FrozenLinear(const Var& x, const StoredTensor& w, Layout layout, const Var* bias) {
  const bool out_in = layout == Layout::kOutIn;
  const Index in = w.shape().dim(out_in ? 1 : 0), out = w.shape().dim(out_in ? 0 : 1);
  CheckShapes(w.shape().rank() == 2 && x.shape().rank() == 2 && x.shape().cols() == in, "frozen_linear",
              out_in ? "x [N, in], W [out, in]" : "x [N, in], W [in, out]", {{"x", x.shape()}, {"W", w.shape()}});
  if (bias) {
    CheckShapes(bias->shape() == Shape{out}, "frozen_linear", "b [out]", {{"W", w.shape()}, {"b", bias->shape()}});
  }

  Tensor y = Tensor::Uninitialized({x.shape().rows(), out});
  kernels::Gemm(y.rows(), out, in, {x.value.data(), in}, kernels::OperandOf(w, out_in),
                {bias ? bias->value.data() : nullptr, 0}, y.data(), out);

  const auto backward = [w, out_in, in, out](const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink dx = d.AddTo(0)) {
      kernels::Gemm(dy.rows(), in, out, {dy.data(), out}, kernels::OperandOf(w, !out_in), {dx.onto, in}, dx.to, in);
    }
    if (Tensor* db = d.AddWithin(1)) kernels::AddColumnSums(dy.data(), dy.rows(), dy.cols(), db->data());
  };
  return x.tape->Record("frozen_linear", y, {&x, bias}, backward);
}

Tensor FrozenRows(const StoredTensor& table, const std::vector<int>& ids) {
  CheckShapes(table.shape().rank() == 2, "frozen_rows", "a matrix", {{"table", table.shape()}});
  CheckIds("frozen_rows", ids, table.shape().rows());
  return table.WidenedRows({ids.begin(), ids.end()});
}

}  // namespace ampgrad::ops
