#include "ct/singular.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"

namespace ampgrad::ct {
namespace {

void ScaleRow(Tensor& rows, Index i, double factor) {
  for (Index j = 0; j < rows.cols(); ++j) rows.row(i)[j] = static_cast<Real>(rows.row(i)[j] * factor);
}

// Triplets of rows [n, d] with n >= d, so that `right` are eigenvectors of rowsᵀ·rows.
SingularTriplets OfTall(const Tensor& rows, Index r, Spectrum end) {
  const Index n = rows.rows(), d = rows.cols();
  std::vector<double> gram(d * d, 0.0);
  AddGram(rows, 1, gram);
  const GramEigen eigen = DecomposeGram(gram, d, r, end);
  SingularTriplets triplets{Tensor::Uninitialized({r, n}), {}, eigen.vectors};
  for (Index i = 0; i < r; ++i) {
    triplets.values.push_back(std::sqrt(std::max(0.0, eigen.values[end == Spectrum::kTop ? i : d - 1 - i])));
  }
  kernels::ProductNT(triplets.right, rows, {triplets.left.data()});  // σ·u = W·v
  for (Index i = 0; i < r; ++i) {
    const double length = std::sqrt(kernels::SumSquares(triplets.left.row(i), n));
    ScaleRow(triplets.left, i, length > 0 ? 1 / length : 0);
    if (length == 0) ScaleRow(triplets.right, i, 0);
  }
  return triplets;
}

}  // namespace

SingularTriplets ComputeSingular(const Tensor& w, Index r, Spectrum end) {
  const Index most = std::min(w.rows(), w.cols());
  if (r < 1 || r > most) {
    throw std::invalid_argument("[singular] expected a rank in 1.." + std::to_string(most) + ", found " +
                                std::to_string(r));
  }
  if (w.rows() >= w.cols()) return OfTall(w, r, end);
  SingularTriplets triplets = OfTall(kernels::Transposed(w), r, end);
  std::swap(triplets.left, triplets.right);
  return triplets;
}

Tensor RandomOrthonormal(Index k, Index d, uint64_t seed, uint64_t stream) {
  const Random random(seed, stream);
  std::vector<std::vector<double>> rows;
  for (Index i = 0; i < k; ++i) {
    std::vector<double> row(d);
    for (Index j = 0; j < d; ++j) row[j] = random.Normal(static_cast<uint64_t>(i * d + j));
    for (int pass = 0; pass < 2; ++pass) {  // the second takes away what rounding left
      for (const std::vector<double>& other : rows) {
        double dot = 0;
        for (Index j = 0; j < d; ++j) dot += row[j] * other[j];
        for (Index j = 0; j < d; ++j) row[j] -= dot * other[j];
      }
    }
    double square = 0;
    for (const double x : row) square += x * x;
    for (double& x : row) x /= std::sqrt(square);
    rows.push_back(std::move(row));
  }
  Tensor orthonormal = Tensor::Uninitialized({k, d});
  for (Index i = 0; i < k; ++i) {
    for (Index j = 0; j < d; ++j) orthonormal.row(i)[j] = static_cast<Real>(rows[i][j]);
  }
  return orthonormal;
}

}  // namespace ampgrad::ct
