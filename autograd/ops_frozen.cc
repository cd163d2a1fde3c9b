#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ops {

// FrozenLinear   y = x·Wᵀ + b   (Layout::kOutIn)      y = x·W + b   (Layout::kInOut)
//   shapes    x [N, in]   W [out, in] or [in, out], bfloat16   b [out]   y [N, out]
//   forward   y_no = Σ_i x_ni W_oi + b_o, every W_oi widened as the product reads it
//   backward  dx = dy·W  or dy·Wᵀ;   db = Σ_n dy_n;   W is a constant
//   saves     W, which lies where it lay
Var FrozenLinear(const Var& x, const Bf16Tensor& w, Layout layout, const Var* bias) {
  const bool out_in = layout == Layout::kOutIn;
  const Index in = w.shape().dim(out_in ? 1 : 0), out = w.shape().dim(out_in ? 0 : 1), stride = w.shape().cols();
  CheckShapes(w.shape().rank() == 2 && x.shape().rank() == 2 && x.shape().cols() == in, "frozen_linear",
              out_in ? "x [N, in], W [out, in]" : "x [N, in], W [in, out]", {{"x", x.shape()}, {"W", w.shape()}});
  if (bias) {
    CheckShapes(bias->shape() == Shape{out}, "frozen_linear", "b [out]", {{"W", w.shape()}, {"b", bias->shape()}});
  }

  Tensor y = Tensor::Uninitialized({x.shape().rows(), out});
  kernels::Gemm(y.rows(), out, in, {x.value.data(), in}, {nullptr, stride, out_in, w.data()},
                {bias ? bias->value.data() : nullptr, 0}, y.data(), out);

  const auto backward = [=](const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink dx = d.Into(0)) {
      kernels::Gemm(dy.rows(), in, out, {dy.data(), out}, {nullptr, stride, !out_in, w.data()}, {dx.onto, in}, dx.to,
                    in);
    }
    if (Tensor* db = d[1]) kernels::AddColumnSums(dy.data(), dy.rows(), dy.cols(), db->data());
  };
  const Var no_bias = x.tape->Constant(Tensor());
  return x.tape->Record("frozen_linear", y, {&x, bias ? bias : &no_bias}, backward);
}

Tensor FrozenRows(const Bf16Tensor& table, const std::vector<int>& ids) {
  CheckShapes(table.shape().rank() == 2, "frozen_rows", "a matrix", {{"table", table.shape()}});
  CheckIds("frozen_rows", ids, table.shape().rows());
  Tensor y = Tensor::Uninitialized({static_cast<Index>(ids.size()), table.shape().cols()});
  ParallelChunks(y.rows(), 64, [&](Index n, Index end) {
    for (; n < end; ++n) {
      const Bf16* row = table.row(ids[n]);
      for (Index j = 0; j < y.cols(); ++j) y.row(n)[j] = Widen(row[j]);
    }
  });
  return y;
}

}  // namespace ampgrad::ops
