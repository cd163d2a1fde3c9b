#include "ct/basis.h"

#include <algorithm>
#include <stdexcept>

#include "tensor/eigen.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/random.h"

namespace ampgrad::ct {
namespace {

// Rows of one partial Gram product: few enough that its sums in Real lose nothing that double would keep beyond 1e-6.
constexpr Index kBlockRows = 256;

Tensor SampleRows(const Tensor& rows, const Sample& sample, uint64_t stream) {
  if (sample.rows_per_matrix == 0 || sample.rows_per_matrix >= rows.rows()) return rows;
  std::vector<Index> chosen = Random(sample.seed, stream).Permutation(rows.rows());
  chosen.resize(sample.rows_per_matrix);
  std::sort(chosen.begin(), chosen.end());
  Tensor picked = Tensor::Uninitialized({sample.rows_per_matrix, rows.cols()});
  for (Index i = 0; i < picked.rows(); ++i) std::copy_n(rows.row(chosen[i]), rows.cols(), picked.row(i));
  return picked;
}

// Calls body(rows, repeats) with the rows of each source, sampled.
template <class Body>
void ForEachSource(const std::vector<RowSource>& sources, const Sample& sample, Body body) {
  for (size_t i = 0; i < sources.size(); ++i) {
    body(SampleRows(ReadRows(sources[i]), sample, i), sources[i].repeats);
  }
}

Tensor Centred(const Tensor& rows, const Tensor& mean) {
  Tensor centred = Tensor::Uninitialized(rows.shape());
  for (Index i = 0; i < rows.rows(); ++i) {
    for (Index j = 0; j < rows.cols(); ++j) centred.row(i)[j] = rows.row(i)[j] - mean[j];
  }
  return centred;
}

// gram [d, d] += repeats·centredᵀ·centred
void AddGram(const Tensor& centred, double repeats, std::vector<double>& gram) {
  const Index d = centred.cols();
  for (Index begin = 0; begin < centred.rows(); begin += kBlockRows) {
    const Tensor block = centred.Rows(begin, std::min(centred.rows(), begin + kBlockRows));
    Tensor product({d, d});
    kernels::ProductTN(block, block, {product.data(), product.data()});
    for (Index i = 0; i < d * d; ++i) gram[i] += repeats * product[i];
  }
}

}  // namespace

Basis ComputeBasis(const std::vector<RowSource>& sources, Index k, const Sample& sample) {
  if (sources.empty()) throw std::invalid_argument("[basis] the model has no matrix with rows of its width");
  const Index d = ReadRows(sources[0]).cols();
  if (k < 1 || k > d) {
    throw std::invalid_argument("[basis] expected K in 1.." + std::to_string(d) + " (the model's width), found " +
                                std::to_string(k));
  }
  Index count = 0;
  std::vector<double> sum(d, 0.0);
  ForEachSource(sources, sample, [&](const Tensor& rows, int repeats) {
    count += rows.rows() * repeats;
    for (Index i = 0; i < rows.rows(); ++i) {
      for (Index j = 0; j < d; ++j) sum[j] += repeats * static_cast<double>(rows.row(i)[j]);
    }
  });
  Basis basis;
  basis.rows = count;
  basis.mean = Tensor::Uninitialized({d});
  for (Index j = 0; j < d; ++j) basis.mean[j] = static_cast<Real>(sum[j] / static_cast<double>(count));

  std::vector<double> gram(d * d, 0.0);
  ForEachSource(sources, sample,
                [&](const Tensor& rows, int repeats) { AddGram(Centred(rows, basis.mean), repeats, gram); });
  SymmetricEigen eigen = DecomposeSymmetric(std::move(gram), d);

  basis.vectors = Tensor::Uninitialized({k, d});
  std::copy_n(eigen.vectors.begin(), k * d, basis.vectors.data());
  basis.eigenvalues = std::move(eigen.values);
  return basis;
}

Basis Truncated(const Basis& basis, Index k) {
  if (k < 1 || k > basis.k()) {
    throw std::invalid_argument("[basis] expected K in 1.." + std::to_string(basis.k()) + ", found " +
                                std::to_string(k));
  }
  Basis truncated = basis;
  truncated.vectors = basis.vectors.Rows(0, k);
  return truncated;
}

Tensor Scores(const Tensor& rows, const Basis& basis) {
  Tensor scores({rows.rows(), basis.k()});
  kernels::ProductNT(Centred(rows, basis.mean), basis.vectors, {scores.data(), scores.data()});
  return scores;
}

Tensor Rebuild(const Tensor& scores, const Basis& basis) {
  Tensor rows = Tensor::Uninitialized({scores.rows(), basis.width()});
  kernels::Gemm(scores.rows(), basis.width(), basis.k(), {scores.data(), basis.k()},
                {basis.vectors.data(), basis.width()}, {basis.mean.data(), 0}, rows.data(), basis.width());
  return rows;
}

double VarianceCaptured(const Basis& basis) {
  double captured = 0, total = 0;
  for (Index i = 0; i < basis.width(); ++i) {
    total += basis.eigenvalues[i];
    if (i < basis.k()) captured += basis.eigenvalues[i];
  }
  return total > 0 ? captured / total : 1;
}

double ParticipationRatio(const std::vector<double>& eigenvalues) {
  double sum = 0, squares = 0;
  for (const double value : eigenvalues) {
    sum += value;
    squares += value * value;
  }
  return squares > 0 ? sum * sum / squares : 0;
}

double RSquared(const std::vector<RowSource>& sources, const Basis& basis) {
  double residual = 0, total = 0;
  ForEachSource(sources, {}, [&](const Tensor& rows, int repeats) {
    const Tensor centred = Centred(rows, basis.mean);
    Tensor error = Rebuild(Scores(rows, basis), basis);
    for (Index i = 0; i < error.size(); ++i) error[i] -= rows[i];
    residual += repeats * kernels::SumSquares(error.data(), error.size());
    total += repeats * kernels::SumSquares(centred.data(), centred.size());
  });
  return total > 0 ? 1 - residual / total : 1;
}

}  // namespace ampgrad::ct
