#include "train/study/measures/lora_overlap.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "tensor/kernels/eigen/eigen.h"

namespace ampgrad::train {
namespace {

// X·Yᵀ [rows of X, first `rows` of Y] in double.
std::vector<double> Products(const Tensor& x, const Tensor& y, Index rows) {
  std::vector<double> products(x.rows() * rows);
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = 0; j < rows; ++j) {
      for (Index c = 0; c < x.cols(); ++c) {
        products[i * rows + j] += static_cast<double>(x.row(i)[c]) * static_cast<double>(y.row(j)[c]);
      }
    }
  }
  return products;
}

// With A·Aᵀ = V·Λ·Vᵀ the rows of Λ^(−1/2)·Vᵀ·A are orthonormal and span those of A.
double ShareOfSpan(const Tensor& a, const Tensor& vectors) {
  const Index r = a.rows(), k = std::min(r, vectors.rows());
  const SymmetricEigen eigen = DecomposeSymmetric(Products(a, a, r), r, r);
  const std::vector<double> with_basis = Products(a, vectors, k);
  double sum = 0;
  for (Index i = 0; i < r && eigen.values[i] > 1e-12 * eigen.values[0]; ++i) {
    for (Index j = 0; j < k; ++j) {
      double product = 0;
      for (Index l = 0; l < r; ++l) product += eigen.vectors[i * r + l] * with_basis[l * k + j];
      sum += product * product / eigen.values[i];
    }
  }
  return sum / static_cast<double>(r);
}

}  // namespace

double LoraOverlap(models::LanguageModel& model, const Scope& scope, const ct::Basis& basis) {
  double sum = 0;
  int matrices = 0;
  for (const nn::Matrix* matrix : MatricesInScope(model, scope)) {
    const std::optional<nn::Factors> update = matrix->form->Update();
    if (!update || update->a.cols() != basis.width()) continue;
    sum += ShareOfSpan(update->a, basis.vectors);
    ++matrices;
  }
  return matrices > 0 ? sum / matrices : NAN;
}

}  // namespace ampgrad::train
