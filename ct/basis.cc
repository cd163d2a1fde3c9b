#include "ct/basis.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

// Rows that are summed in Real before the sum is added in double. The mean is stored in Real anyway, and an error of
// that size in the mean changes the Gram matrix only by its square.
constexpr Index kSumRows = 32;

// Bytes of rows that are read at a time, in whole blocks.
constexpr Index kReadBytes = 1 << 26;

// The rows of a matrix that a sample takes, ascending. Each matrix has its own `stream` of random numbers.
std::vector<Index> SampledRows(Index rows, const RowSample& sample, uint64_t stream) {
  std::vector<Index> chosen = Random(sample.seed, stream).Permutation(rows);
  chosen.resize(sample.rows_per_matrix);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

// Calls body(rows, repeats) with the rows of each source, or a sample of them, some blocks at a time.
template <class Body>
void ForEachBlock(const std::vector<RowSource>& sources, const RowSample& sample, Index d, Body body) {
  const Index block_bytes = kGramRows * d * static_cast<Index>(sizeof(Real));
  const Index step = kGramRows * std::max<Index>(1, kReadBytes / block_bytes);
  for (size_t i = 0; i < sources.size(); ++i) {
    const RowReader reader(sources[i]);
    if (sample.rows_per_matrix > 0 && sample.rows_per_matrix < reader.count()) {
      body(reader.Rows(SampledRows(reader.count(), sample, i)), sources[i].repeats);
      continue;
    }
    for (Index begin = 0; begin < reader.count(); begin += step) {
      body(reader.Rows(begin, std::min(reader.count(), begin + step)), sources[i].repeats);
    }
  }
}

// sum [cols] += repeats·(the sum of all rows)
void AddRowSums(const Tensor& rows, double repeats, std::vector<double>& sum) {
  const Index d = rows.cols(), chunks = (rows.rows() + kGramRows - 1) / kGramRows;
  std::vector<double> parts(chunks * d, 0.0);
  ParallelFor(chunks, [&](Index chunk) {
    std::vector<Real> few(d);
    const Index end = std::min(rows.rows(), (chunk + 1) * kGramRows);
    for (Index i = chunk * kGramRows; i < end; i += kSumRows) {
      std::fill(few.begin(), few.end(), Real(0));
      kernels::AddColumnSums(rows.row(i), std::min(kSumRows, end - i), d, few.data());
      for (Index j = 0; j < d; ++j) parts[chunk * d + j] += few[j];
    }
  });
  for (Index i = 0; i < chunks * d; ++i) sum[i % d] += repeats * parts[i];
}

}  // namespace

Basis ComputeBasis(const std::vector<RowSource>& sources, Index k, const RowSample& sample, Spectrum end) {
  if (sources.empty()) throw std::invalid_argument("[basis] the model has no matrix with rows of its width");
  const Index d = sources[0].layout == ops::Layout::kOutIn ? sources[0].matrix->in : sources[0].matrix->out;
  if (k < 1 || k > d) {
    throw std::invalid_argument("[basis] expected K in 1.." + std::to_string(d) + " (the model's width), found " +
                                std::to_string(k));
  }
  Index count = 0;
  std::vector<double> sum(d, 0.0);
  ForEachBlock(sources, sample, d, [&](const Tensor& rows, int repeats) {
    count += rows.rows() * repeats;
    AddRowSums(rows, repeats, sum);
  });
  Basis basis;
  basis.rows = count;
  basis.mean = Tensor::Uninitialized({d});
  for (Index j = 0; j < d; ++j) basis.mean[j] = static_cast<Real>(sum[j] / static_cast<double>(count));

  std::vector<double> gram(d * d, 0.0);
  ForEachBlock(sources, sample, d, [&](const Tensor& rows, int repeats) {
    for (Index begin = 0; begin < rows.rows(); begin += kGramRows) {
      const Tensor block = rows.Rows(begin, std::min(rows.rows(), begin + kGramRows));
      AddGram(Centred(block, basis.mean), repeats, gram);
    }
  });
  GramEigen eigen = DecomposeGram(gram, d, k, end);
  basis.vectors = eigen.vectors;
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
  Tensor scores = Tensor::Uninitialized({rows.rows(), basis.k()});
  kernels::ProductNT(Centred(rows, basis.mean), basis.vectors, {scores.data()});
  return scores;
}

Tensor Rebuild(const Tensor& scores, const Basis& basis) {
  Tensor rows = Tensor::Uninitialized({scores.rows(), basis.width()});
  kernels::Gemm(scores.rows(), basis.width(), basis.k(), {scores.data(), basis.k()},
                {basis.vectors.data(), basis.width()}, {basis.mean.data(), 0}, rows.data(), basis.width());
  return rows;
}

double VarianceCaptured(const Basis& basis) {
  if (basis.eigenvalues.empty()) return NAN;
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
  ForEachBlock(sources, {}, basis.width(), [&](const Tensor& rows, int repeats) {
    const Tensor centred = Centred(rows, basis.mean);
    Tensor error = Rebuild(Scores(rows, basis), basis);
    for (Index i = 0; i < error.size(); ++i) error[i] -= rows[i];
    residual += repeats * kernels::SumSquares(error.data(), error.size());
    total += repeats * kernels::SumSquares(centred.data(), centred.size());
  });
  return total > 0 ? 1 - residual / total : 1;
}

}  // namespace ampgrad::ct
