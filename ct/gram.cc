#include "ct/gram.h"

#include <algorithm>
#include <utility>

#include "tensor/kernels/eigen/eigen.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

// Fewest rows of the Gram matrix that a task takes.
constexpr Index kMinGramRows = 64;

// Rows that a task centres.
constexpr Index kCentredRows = 32;

}  // namespace

Tensor Centred(const Tensor& rows, const Tensor& mean) {
  Tensor centred = Tensor::Uninitialized(rows.shape());
  const Index d = rows.cols();
  ParallelChunks(rows.rows(), kCentredRows, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real *row = rows.row(i), *mu = mean.data();
      Real* out = centred.row(i);
      for (Index j = 0; j < d; ++j) out[j] = row[j] - mu[j];
    }
  });
  return centred;
}

namespace {

// The same for at most kGramRows rows.
void AddBlock(const Tensor& rows, double repeats, std::vector<double>& gram) {
  const Index d = rows.cols(), chunk = std::max<Index>(kMinGramRows, d / 8);
  // A task computes a few rows of the result, from the diagonal on. Eight tasks do 9/16 of the work of the full square,
  // and their products are tall enough for full speed.
  ParallelChunks(d, chunk, [&](Index begin, Index end) {
    const Index m = end - begin, n = d - begin;
    const Real* columns = rows.data() + begin;
    Tensor product = Tensor::Uninitialized({m, n});
    kernels::Gemm(m, n, rows.rows(), {columns, d, true}, {columns, d}, {}, product.data(), n);
    for (Index i = 0; i < m; ++i) {
      double* to = &gram[(begin + i) * d + begin];
      for (Index j = 0; j < n; ++j) to[j] += repeats * product.row(i)[j];
    }
  });
}

}  // namespace

void AddGram(const Tensor& rows, double repeats, std::vector<double>& gram) {
  for (Index begin = 0; begin < rows.rows(); begin += kGramRows) {
    AddBlock(rows.Rows(begin, std::min(rows.rows(), begin + kGramRows)), repeats, gram);
  }
}

GramEigen DecomposeGram(const std::vector<double>& gram, Index d, Index r, Spectrum end) {
  SymmetricEigen eigen = DecomposeSymmetric(gram, d, end == Spectrum::kTop ? r : d);
  Tensor vectors = Tensor::Uninitialized({r, d});
  for (Index i = 0; i < r; ++i) {
    const Index at = end == Spectrum::kTop ? i : d - 1 - i;
    std::copy_n(eigen.vectors.begin() + at * d, d, vectors.row(i));
  }
  return {std::move(eigen.values), vectors};
}

}  // namespace ampgrad::ct
