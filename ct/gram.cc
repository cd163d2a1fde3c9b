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

// A task computes kTile x kTile sums, which stay in the L1 cache, from kDeep rows at a time.
constexpr Index kTile = 32;
constexpr Index kDeep = 4;

using Panel = double[kDeep][kTile];

// Rows begin..begin + kDeep of columns `from`..from + kTile, less the mean row; zeros where
// there are none.
void Load(const Tensor& rows, const std::vector<double>& mean, Index begin, Index from, Panel& panel) {
  const Index deep = std::min(kDeep, rows.rows() - begin), width = std::min(kTile, rows.cols() - from);
  for (Index r = 0; r < kDeep; ++r) {
    for (Index j = 0; j < kTile; ++j) {
      const bool there = r < deep && j < width;
      panel[r][j] = there ? rows.row(begin + r)[from + j] - (mean.empty() ? 0.0 : mean[from + j]) : 0.0;
    }
  }
}

// One tile of the Gram matrix, its first entry at (top, left).
void AddTile(const Tensor& rows, const std::vector<double>& mean, Index top, Index left, std::vector<double>& gram) {
  const Index d = rows.cols();
  double sums[kTile][kTile] = {};
  Panel a, b;
  for (Index begin = 0; begin < rows.rows(); begin += kDeep) {
    Load(rows, mean, begin, top, a);
    Load(rows, mean, begin, left, b);
    for (Index i = 0; i < kTile; ++i) {
      const double a0 = a[0][i], a1 = a[1][i], a2 = a[2][i], a3 = a[3][i];
      for (Index j = 0; j < kTile; ++j) sums[i][j] += a0 * b[0][j] + a1 * b[1][j] + a2 * b[2][j] + a3 * b[3][j];
    }
  }
  for (Index i = top; i < std::min(d, top + kTile); ++i) {
    for (Index j = std::max(i, left); j < std::min(d, left + kTile); ++j) gram[i * d + j] += sums[i - top][j - left];
  }
}

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

void AddGramInDouble(const Tensor& rows, std::vector<double>& gram, const std::vector<double>& mean) {
  const Index tiles = (rows.cols() + kTile - 1) / kTile;
  ParallelFor(tiles * tiles, [&](Index task) {
    const Index i = task / tiles, j = task % tiles;
    if (i <= j) AddTile(rows, mean, i * kTile, j * kTile, gram);
  });
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
