#include "train/corpus/ppmi.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "tensor/kernels/eigen/eigen.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"

namespace ampgrad::corpus {
namespace {

constexpr uint64_t kStartStream = 0x70706D69;  // "ppmi"

// Degree of the filter: products between two orthogonalisations. A higher one would let the largest value drown those
// that it is far above.
constexpr int kFilterDegree = 6;

// σ² below this share of the largest counts as zero.
constexpr double kNothing = 1e-12;

// Entries of a row that a task takes.
constexpr Index kChunk = 1024;

double Dot(const double* x, const double* y, Index n) { return std::inner_product(x, x + n, y, 0.0); }

void Multiply(const SparseMatrix& m, const double* x, double* y) {
  for (Index i = 0; i < m.rows(); ++i) {
    double sum = 0;
    for (Index e = m.starts[i]; e < m.starts[i + 1]; ++e) sum += m.values[e] * x[m.columns[e]];
    y[i] = sum;
  }
}

SparseMatrix Transposed(const SparseMatrix& m) {
  SparseMatrix t{m.rows(), std::vector<Index>(static_cast<size_t>(m.cols) + 1, 0), std::vector<Index>(m.columns.size()),
                 std::vector<double>(m.values.size())};
  for (const Index column : m.columns) ++t.starts[column + 1];
  std::partial_sum(t.starts.begin(), t.starts.end(), t.starts.begin());
  std::vector<Index> next(t.starts.begin(), t.starts.end() - 1);
  for (Index i = 0; i < m.rows(); ++i) {
    for (Index e = m.starts[i]; e < m.starts[i + 1]; ++e) {
      const Index at = next[m.columns[e]]++;
      t.columns[at] = i;
      t.values[at] = m.values[e];
    }
  }
  return t;
}

// The iteration for A = M·Mᵀ, whose eigenvalues are σ². Vectors are rows of blocks [m, n].
class Iteration {
 public:
  Iteration(const SparseMatrix& matrix, Index block, uint64_t seed)
      : matrix_(matrix), transposed_(Transposed(matrix)), random_(seed, kStartStream), block_(block, matrix.rows()) {
    for (double& x : block_.values) x = random_.Normal(drawn_++);
    Orthogonalise();
    Rotate();
  }

  const Doubles& block() const { return block_; }
  const std::vector<double>& values() const { return values_; }  // σ², descending

  // One round: the filter damps what lies below the last value of the block.
  void Round() {
    Filter(std::max(values_.back(), kNothing * values_.front()));
    Orthogonalise();
    Rotate();
  }

  // max_i ‖A·u_i − λ_i·u_i‖ / λ_1 over the first `count` vectors.
  double Residual(Index count) const {
    double largest = 0;
    for (Index i = 0; i < count; ++i) {
      double square = 0;
      for (Index j = 0; j < block_.cols; ++j) {
        const double error = product_.row(i)[j] - values_[i] * block_.row(i)[j];
        square += error * error;
      }
      largest = std::max(largest, std::sqrt(square));
    }
    return values_[0] > 0 ? largest / values_[0] : 0;
  }

 private:
  // A·x
  void Apply(const double* x, double* y) const {
    std::vector<double> between(static_cast<size_t>(matrix_.cols));
    Multiply(transposed_, x, between.data());
    Multiply(matrix_, between.data(), y);
  }

  // x ← T_q((2·A − c)/c)·x, the Chebyshev polynomial that stays within ±1 on [0, c] and grows fastest above it.
  void Filter(double c) {
    const Index n = block_.cols;
    ParallelFor(block_.rows, [&](Index i) {
      std::vector<double> last(block_.row(i), block_.row(i) + n), now(static_cast<size_t>(n)), next(now);
      Apply(last.data(), now.data());
      for (Index j = 0; j < n; ++j) now[j] = 2 * now[j] / c - last[j];
      for (int degree = 2; degree <= kFilterDegree; ++degree) {
        Apply(now.data(), next.data());
        for (Index j = 0; j < n; ++j) next[j] = 2 * (2 * next[j] / c - now[j]) - last[j];
        last.swap(now);
        now.swap(next);
      }
      const double length = std::sqrt(Dot(now.data(), now.data(), n));
      for (Index j = 0; j < n; ++j) block_.row(i)[j] = length > 0 ? now[j] / length : 0;
    });
  }

  // Takes from row i what rows before it span; the second pass takes what rounding left of it.
  void Project(Index i) {
    const Index n = block_.cols;
    double* row = block_.row(i);
    std::vector<double> dots(static_cast<size_t>(i));
    for (int pass = 0; pass < 2; ++pass) {
      ParallelFor(i, [&](Index j) { dots[j] = Dot(block_.row(j), row, n); });
      ParallelChunks(n, kChunk, [&](Index begin, Index end) {
        for (Index j = 0; j < i; ++j) {
          const double* other = block_.row(j);
          for (Index t = begin; t < end; ++t) row[t] -= dots[j] * other[t];
        }
      });
    }
  }

  // Makes the rows orthonormal. One that the rows before it span is drawn anew.
  void Orthogonalise() {
    const Index n = block_.cols;
    for (Index i = 0; i < block_.rows; ++i) {
      double* row = block_.row(i);
      for (;;) {
        const double before = std::sqrt(Dot(row, row, n));
        Project(i);
        const double length = std::sqrt(Dot(row, row, n));
        if (length > 1e-13 * before) {
          std::transform(row, row + n, row, [length](double x) { return x / length; });
          Project(i);  // a row that lost most of its length is orthogonal only now
          const double rest = std::sqrt(Dot(row, row, n));
          std::transform(row, row + n, row, [rest](double x) { return x / rest; });
          break;
        }
        for (Index j = 0; j < n; ++j) row[j] = random_.Normal(drawn_++);
      }
    }
  }

  // Rayleigh-Ritz: turns the rows into the eigenvectors of A within their span, and A·rows with them.
  void Rotate() {
    const Index m = block_.rows, n = block_.cols;
    Doubles product(m, n);
    std::vector<double> inner(static_cast<size_t>(m * m));
    ParallelFor(m, [&](Index i) { Apply(block_.row(i), product.row(i)); });
    ParallelFor(m, [&](Index i) {
      for (Index j = i; j < m; ++j) inner[i * m + j] = Dot(block_.row(i), product.row(j), n);
    });
    SymmetricEigen eigen = DecomposeSymmetric(inner, m, m);
    Doubles turned(m, n);
    product_ = Doubles(m, n);
    ParallelFor(m, [&](Index i) {
      const double* weights = &eigen.vectors[i * m];
      AddProduct(weights, block_.values.data(), 1, m, n, turned.row(i));
      AddProduct(weights, product.values.data(), 1, m, n, product_.row(i));
    });
    block_ = std::move(turned);
    values_ = std::move(eigen.values);
  }

  const SparseMatrix& matrix_;
  const SparseMatrix transposed_;
  const Random random_;
  uint64_t drawn_ = 0;
  Doubles block_, product_;  // U and A·U
  std::vector<double> values_;
};

}  // namespace

SparseMatrix Ppmi(const Bigrams& counts) {
  const std::vector<int> tokens = counts.Seen();
  std::vector<Index> place(counts.unigrams.size(), 0);
  for (size_t i = 0; i < tokens.size(); ++i) place[tokens[i]] = static_cast<Index>(i);
  std::vector<double> first(tokens.size(), 0.0), second(tokens.size(), 0.0);
  for (const Bigram& pair : counts.pairs) {
    first[place[pair.first]] += static_cast<double>(pair.count);
    second[place[pair.second]] += static_cast<double>(pair.count);
  }
  const double all = static_cast<double>(counts.tokens - 1);
  SparseMatrix ppmi{static_cast<Index>(tokens.size()), std::vector<Index>(tokens.size() + 1, 0), {}, {}};
  for (const Bigram& pair : counts.pairs) {  // ascending by row
    const Index row = place[pair.first], column = place[pair.second];
    const double information = std::log(static_cast<double>(pair.count) * all / (first[row] * second[column]));
    if (!(information > 0)) continue;
    ++ppmi.starts[row + 1];
    ppmi.columns.push_back(column);
    ppmi.values.push_back(information);
  }
  std::partial_sum(ppmi.starts.begin(), ppmi.starts.end(), ppmi.starts.begin());
  return ppmi;
}

LeftSingular TopLeftSingular(const SparseMatrix& m, Index k, uint64_t seed) {
  const Index n = m.rows(), r = std::min(k, n);
  Iteration iteration(m, std::min(n, 2 * k + 8), seed);
  LeftSingular result{Doubles(r, n), {}, iteration.Residual(r), true, 0};
  for (; result.rounds < kSingularRounds && result.residual > kSingularResidual; ++result.rounds) {
    iteration.Round();
    result.residual = iteration.Residual(r);
  }
  result.converged = result.residual <= kSingularResidual;
  const double largest = iteration.values()[0];
  for (Index i = 0; i < r; ++i) {
    const double square = iteration.values()[i];
    const bool is_zero = !(square > kNothing * largest);
    result.values.push_back(is_zero ? 0 : std::sqrt(square));
    if (is_zero) continue;
    const double* vector = iteration.block().row(i);
    const double* most =
        std::max_element(vector, vector + n, [](double x, double y) { return std::abs(x) < std::abs(y); });
    const double sign = std::copysign(1.0, *most);
    std::transform(vector, vector + n, result.vectors.row(i), [sign](double x) { return sign * x; });
  }
  return result;
}

}  // namespace ampgrad::corpus
