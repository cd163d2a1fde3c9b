#include "autograd/check.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ops {
namespace {

constexpr Index kChunk = 64;  // rows or columns of a task

}  // namespace

// Scale   y = s·x
//   shapes    s a constant   x, y equal
//   forward   y_i = s·x_i
//   backward  dx += s·dy
//   saves     nothing
Var Scale(const Var& x, Real s) {
  Tensor y = x.value.Clone();
  kernels::Scale(s, y.data(), y.size());

  return x.tape->Record("scale", y, {&x}, [s](const Tensor& dy, InputGrads& d) {
    Tensor dx = dy.Clone();
    kernels::Scale(s, dx.data(), dx.size());
    d.Add(0, dx);
  });
}

// ScaleRows   y = diag(g)·x
//   shapes    x, y [n, d]   g [n]
//   forward   y_ij = g_i x_ij
//   backward  dx_ij += g_i dy_ij,  dg_i += Σ_j dy_ij x_ij
//   saves     g if x needs a gradient, x if g does
Var ScaleRows(const Var& x, const Var& g) {
  const Index n = x.shape().rows(), cols = x.shape().cols();
  CheckShapes(x.shape().rank() == 2 && g.shape() == Shape{n}, "scale_rows", "x [n, d], g [n]",
              {{"x", x.shape()}, {"g", g.shape()}});

  const auto scaled = [cols](const Tensor& from, const Tensor& factors, kernels::Sink to) {
    ParallelChunks(from.rows(), kChunk, [&](Index i, Index end) {
      for (; i < end; ++i) {
        const kernels::Sink row = to.At(i * cols);
        for (Index j = 0; j < cols; ++j) row.to[j] = (row.onto ? row.onto[j] : Real(0)) + factors[i] * from.row(i)[j];
      }
    });
  };
  Tensor y = Tensor::Uninitialized(x.shape());
  scaled(x.value, g.value, {y.data()});

  const auto backward = [scaled, x = g.needs_grad() ? x.value : Tensor(), g = x.needs_grad() ? g.value : Tensor()](
                            const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink dx = d.AddTo(0)) scaled(dy, g, dx);
    if (Tensor* dg = d.AddWithin(1)) {
      ParallelChunks(dy.rows(), kChunk, [&](Index i, Index end) {
        for (; i < end; ++i) {
          double sum = 0;
          for (Index j = 0; j < dy.cols(); ++j) sum += static_cast<double>(dy.row(i)[j]) * x.row(i)[j];
          (*dg)[i] += static_cast<Real>(sum);
        }
      });
    }
  };
  return x.tape->Record("scale_rows", y, {&x, &g}, backward);
}

// ScaleColumns   y = x·diag(g) + b
//   shapes    x, y [N, d]   g, b [d]
//   forward   y_nj = x_nj g_j + b_j
//   backward  dx_nj += dy_nj g_j,  dg_j += Σ_n dy_nj x_nj,  db_j += Σ_n dy_nj
//   saves     g if x needs a gradient, x if g does
Var ScaleColumns(const Var& x, const Var& g, const Var* bias) {
  const Index cols = x.shape().cols();
  CheckShapes(x.shape().rank() == 2 && g.shape() == Shape{cols}, "scale_columns", "x [N, d], g [d]",
              {{"x", x.shape()}, {"g", g.shape()}});
  if (bias) CheckShapes(bias->shape() == Shape{cols}, "scale_columns", "b [d]", {{"b", bias->shape()}});

  Tensor y = Tensor::Uninitialized(x.shape());
  ParallelChunks(y.rows(), kChunk, [&](Index n, Index end) {
    for (; n < end; ++n) {
      kernels::Mul(x.value.row(n), g.value.data(), {y.row(n)}, cols);
      if (bias) kernels::AddInto(bias->value.data(), y.row(n), cols);
    }
  });

  const auto backward = [x = g.needs_grad() ? x.value : Tensor(), g = x.needs_grad() ? g.value : Tensor()](
                            const Tensor& dy, InputGrads& d) {
    if (const kernels::Sink dx = d.AddTo(0)) {
      ParallelChunks(dy.rows(), kChunk, [&](Index n, Index end) {
        for (; n < end; ++n) kernels::Mul(dy.row(n), g.data(), dx.At(n * dy.cols()), dy.cols());
      });
    }
    if (Tensor* dg = d.AddWithin(1)) {
      ParallelChunks(dy.cols(), kChunk, [&](Index begin, Index end) {
        for (Index n = 0; n < dy.rows(); ++n) {
          for (Index j = begin; j < end; ++j) (*dg)[j] += dy.row(n)[j] * x.row(n)[j];
        }
      });
    }
    if (Tensor* db = d.AddWithin(2)) kernels::AddColumnSums(dy.data(), dy.rows(), dy.cols(), db->data());
  };
  return x.tape->Record("scale_columns", y, {&x, &g, bias}, backward);
}

}  // namespace ampgrad::ops
