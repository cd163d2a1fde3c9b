#include "ct/spectra/stack.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "ct/spectra/spectrum.h"
#include "tensor/kernels/eigen/eigen.h"
#include "tensor/thread_pool.h"

namespace ampgrad::ct {
namespace {

// Bytes of rows that are read at a time.
constexpr Index kStackReadBytes = 1 << 25;

// The most products of a Gram matrix, N·d², that are computed in double: about two seconds.
constexpr Index kMostInDouble = Index{1} << 32;

// Rows whose sums a task computes.
constexpr Index kTaskRows = 64;

// A Gram matrix Σ(r − μ)(r − μ)ᵀ, upper triangle, and what it takes to move it to the rows' own mean.
struct Moments {
  explicit Moments(Index d) : gram(d * d, 0.0), sum(d, 0.0) {}

  std::vector<double> gram;  // [d, d]
  std::vector<double> sum;   // Σ(r − μ) [d]
  double rows = 0;

  void Add(const Moments& other, double repeats) {
    const Index d = static_cast<Index>(sum.size());
    ParallelFor(d, [&](Index i) {
      for (Index j = i; j < d; ++j) gram[i * d + j] += repeats * other.gram[i * d + j];
      sum[i] += repeats * other.sum[i];
    });
    rows += repeats * other.rows;
  }
  void Clear() {
    std::fill(gram.begin(), gram.end(), 0.0);
    std::fill(sum.begin(), sum.end(), 0.0);
    rows = 0;
  }
  double Trace() const {
    double trace = 0;
    for (size_t i = 0; i < sum.size(); ++i) trace += gram[i * sum.size() + i];
    return trace;
  }
  // Of the rows about their own mean.
  double Participation() const {
    const Index d = static_cast<Index>(sum.size());
    std::vector<double> traces(d), squares(d);
    ParallelFor(d, [&](Index i) {
      for (Index j = i; j < d; ++j) {
        const double own = gram[i * d + j] - sum[i] * sum[j] / rows;
        squares[i] += (i == j ? 1 : 2) * own * own;
        if (i == j) traces[i] = own;
      }
    });
    return ParticipationRatio(std::accumulate(traces.begin(), traces.end(), 0.0),
                              std::accumulate(squares.begin(), squares.end(), 0.0));
  }
};

// sum [d] += the sum of the rows [n, d], and squares += ‖row‖² of each.
template <class Number>
void AddRows(const Number* rows, Index n, Index d, std::vector<double>& sum, std::vector<double>* squares) {
  const Index tasks = (n + kTaskRows - 1) / kTaskRows;
  std::vector<double> parts(tasks * d, 0.0), row_squares(n);
  ParallelFor(tasks, [&](Index task) {
    for (Index r = task * kTaskRows; r < std::min(n, (task + 1) * kTaskRows); ++r) {
      const Number* row = rows + r * d;
      double *part = &parts[task * d], square = 0;
      for (Index j = 0; j < d; ++j) {
        const double x = row[j];
        part[j] += x;
        square += x * x;
      }
      row_squares[r] = square;
    }
  });
  for (Index task = 0; task < tasks; ++task) {
    for (Index j = 0; j < d; ++j) sum[j] += parts[task * d + j];
  }
  if (squares) squares->insert(squares->end(), row_squares.begin(), row_squares.end());
}

// The rows [n, d] less the mean row, in double.
std::vector<double> CentredInDouble(const Tensor& rows, const std::vector<double>& mean) {
  const Index d = rows.cols();
  std::vector<double> centred(rows.size());
  for (Index i = 0; i < rows.size(); ++i) centred[i] = rows[i] - mean[i % d];
  return centred;
}

std::vector<double> MeanRow(const std::vector<StackPart>& parts, const RowsOf& rows_of, Index d, Index* count) {
  std::vector<double> sum(d, 0.0);
  *count = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<double> own(d, 0.0);
    ForEachRows(parts[i], i, rows_of, d,
                [&](const Tensor& rows) { AddRows(rows.data(), rows.rows(), d, own, nullptr); });
    for (Index j = 0; j < d; ++j) sum[j] += parts[i].repeats * own[j];
    *count += parts[i].repeats * parts[i].rows;
  }
  if (*count == 0) throw std::invalid_argument("[spectra] the model has no matrix with rows of its width");
  for (double& x : sum) x /= static_cast<double>(*count);
  return sum;
}

// Adds rows [n, d] about the mean row: their Gram matrix, their sum and their squared norms.
void AddCentred(const Tensor& rows, const StackSpectra& spectra, std::vector<double>& gram, std::vector<double>& sum,
                std::vector<double>& squares) {
  const Index n = rows.rows(), d = rows.cols();
  if (spectra.in_double) {
    const std::vector<double> centred = CentredInDouble(rows, spectra.mean);
    AddRows(centred.data(), n, d, sum, &squares);
    AddGramInDouble(rows, gram, spectra.mean);
  } else {
    const Tensor centred = Centred(rows, spectra.basis.mean);
    AddRows(centred.data(), n, d, sum, &squares);
    AddGram(centred, 1, gram);
  }
}

}  // namespace

void ForEachRows(const StackPart& part, size_t index, const RowsOf& rows_of, Index d,
                 const std::function<void(const Tensor&)>& body) {
  const Index bytes = kGramRows * d * static_cast<Index>(sizeof(Real));
  const Index step = kGramRows * std::max<Index>(1, kStackReadBytes / bytes);
  for (Index begin = 0; begin < part.rows; begin += step) {
    body(rows_of(index, begin, std::min(part.rows, begin + step)));
  }
}

StackSpectra MeasureStack(const std::vector<StackPart>& parts, const RowsOf& rows_of, Index d, Index k, bool precise) {
  if (k < 1 || k > d) {
    throw std::invalid_argument("[spectra] expected K in 1.." + std::to_string(d) + " (the model's width), found " +
                                std::to_string(k));
  }
  StackSpectra spectra;
  Basis& basis = spectra.basis;
  spectra.mean = MeanRow(parts, rows_of, d, &basis.rows);
  basis.mean = Tensor::Uninitialized({d});
  std::ranges::transform(spectra.mean, basis.mean.begin(), [](double x) { return static_cast<Real>(x); });
  spectra.in_double = precise && sizeof(Real) < sizeof(double) && basis.rows * d <= kMostInDouble / d;
  if (!spectra.in_double) spectra.mean.assign(basis.mean.begin(), basis.mean.end());
  spectra.row_squares.resize(parts.size());
  Moments matrix(d), layer(d), all(d);
  for (size_t i = 0; i < parts.size(); ++i) {
    matrix.Clear();
    ForEachRows(parts[i], i, rows_of, d, [&](const Tensor& rows) {
      AddCentred(rows, spectra, matrix.gram, matrix.sum, spectra.row_squares[i]);
    });
    matrix.rows = static_cast<double>(parts[i].rows);
    spectra.matrix_pr.push_back(matrix.Participation());
    spectra.matrix_square.push_back(matrix.Trace());
    all.Add(matrix, parts[i].repeats);
    if (parts[i].layer < 0) continue;
    layer.Add(matrix, 1);
    if (i + 1 == parts.size() || parts[i + 1].layer != parts[i].layer) {
      spectra.layer_pr[parts[i].layer] = layer.Participation();
      layer.Clear();
    }
  }
  SymmetricEigen eigen = DecomposeSymmetric(all.gram, d, k);
  basis.eigenvalues = std::move(eigen.values);
  spectra.vectors = std::move(eigen.vectors);
  basis.vectors = Tensor::Uninitialized({k, d});
  std::ranges::transform(spectra.vectors, basis.vectors.begin(), [](double x) { return static_cast<Real>(x); });
  return spectra;
}

Columns ScoreColumns(const StackPart& part, size_t index, const RowsOf& rows_of, const StackSpectra& spectra) {
  if (!spectra.in_double) return ScoreColumns(part, index, rows_of, spectra.basis);
  const Index k = spectra.basis.k(), d = spectra.basis.width();
  Columns columns(k, std::vector<double>(part.rows));
  Index begin = 0;
  ForEachRows(part, index, rows_of, d, [&](const Tensor& rows) {
    const std::vector<double> centred = CentredInDouble(rows, spectra.mean);
    ParallelFor(rows.rows(), [&](Index r) {
      for (Index c = 0; c < k; ++c) {
        columns[c][begin + r] = std::inner_product(&centred[r * d], &centred[r * d] + d, &spectra.vectors[c * d], 0.0);
      }
    });
    begin += rows.rows();
  });
  return columns;
}

Columns ScoreColumns(const StackPart& part, size_t index, const RowsOf& rows_of, const Basis& basis) {
  Columns columns(basis.k(), std::vector<double>(part.rows));
  Index begin = 0;
  ForEachRows(part, index, rows_of, basis.width(), [&](const Tensor& rows) {
    const Tensor scores = Scores(rows, basis);
    ParallelFor(basis.k(), [&](Index c) {
      for (Index r = 0; r < scores.rows(); ++r) columns[c][begin + r] = scores.row(r)[c];
    });
    begin += rows.rows();
  });
  return columns;
}

}  // namespace ampgrad::ct
