#include <algorithm>
#include <string>

#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ops {

// Embedding   y = rows `ids` of the table
//   shapes    table [V, C]   ids [N]   y [N, C]
//   forward   y_n = table_ids[n]
//   backward  dtable_ids[n] += dy_n, in the order of n
//   saves     ids
Var Embedding(const Var& table, const std::vector<int>& ids) {
  CheckShapes(table.shape().rank() == 2, "embedding", "a matrix", {{"table", table.shape()}});
  CheckIds("embedding", ids, table.shape().rows());
  const Index channels = table.shape().cols();
  Tensor y = Tensor::Uninitialized({static_cast<Index>(ids.size()), channels});
  ParallelChunks(y.rows(), 64, [&](Index n, Index end) {
    for (; n < end; ++n) std::copy_n(table.value.row(ids[n]), channels, y.row(n));
  });

  return table.tape->Record("embedding", y, {&table}, [ids](const Tensor& dy, InputGrads& d) {
    Tensor& dtable = *d.AddWithin(0);
    // Each task owns some columns, so that two positions with the same id never write to the same element at once.
    ParallelChunks(dy.cols(), 32, [&](Index begin, Index end) {
      for (Index n = 0; n < dy.rows(); ++n) {
        kernels::AddInto(dy.row(n) + begin, dtable.row(ids[n]) + begin, end - begin);
      }
    });
  });
}

// Linear   y = x·Wᵀ + b   (Layout::kOutIn)      y = x·W + b   (Layout::kInOut)
//   shapes    x [N, in]   W [out, in] or [in, out]   b [out]   y [N, out]
//   forward   y_no = Σ_i x_ni W_oi + b_o
//   backward  dx += dy·W  or dy·Wᵀ;   dW += dyᵀ·x  or xᵀ·dy;   db += Σ_n dy_n
//   saves     W if x needs a gradient, x if W does
Var Linear(const Var& x, const Var& w, Layout layout, const Var* bias) {
  const bool out_in = layout == Layout::kOutIn;
  const Index in = w.shape().dim(out_in ? 1 : 0), out = w.shape().dim(out_in ? 0 : 1);
  CheckShapes(w.shape().rank() == 2 && x.shape().rank() == 2 && x.shape().cols() == in, "linear",
              out_in ? "x [N, in], W [out, in]" : "x [N, in], W [in, out]", {{"x", x.shape()}, {"W", w.shape()}});
  if (bias) CheckShapes(bias->shape() == Shape{out}, "linear", "b [out]", {{"W", w.shape()}, {"b", bias->shape()}});

  Tensor y = Tensor::Uninitialized({x.shape().rows(), out});
  kernels::Gemm(y.rows(), out, in, {x.value.data(), in}, {w.value.data(), w.shape().cols(), out_in},
                {bias ? bias->value.data() : nullptr, 0}, y.data(), out);

  const auto backward = [out_in, x = w.needs_grad() ? x.value : Tensor(), w = x.needs_grad() ? w.value : Tensor()](
                            const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink dx = d.AddTo(0)) out_in ? kernels::ProductNN(dy, w, dx) : kernels::ProductNT(dy, w, dx);
    if (const kernels::Sink dw = d.AddTo(1)) out_in ? kernels::ProductTN(dy, x, dw) : kernels::ProductTN(x, dy, dw);
    if (Tensor* db = d.AddWithin(2)) kernels::AddColumnSums(dy.data(), dy.rows(), dy.cols(), db->data());
  };
  return x.tape->Record("linear", y, {&x, &w, bias}, backward);
}

}  // namespace ampgrad::ops
