#include "train/change/row_sums.h"

#include <numeric>

#include "tensor/thread_pool.h"

namespace ampgrad::train {
namespace {

// Rows or columns that a task sums up.
constexpr Index kTaskRows = 64;

// Numbers that a task subtracts.
constexpr Index kTaskNumbers = 1 << 14;

double Square(double x) { return x * x; }

}  // namespace

Tensor Difference(const Tensor& after, const Tensor& before) {
  Tensor change = Tensor::Uninitialized(after.shape());
  ParallelChunks(after.size(), kTaskNumbers, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) change[i] = after[i] - before[i];
  });
  return change;
}

std::vector<double> SquaresOfRows(const Tensor& x) {
  std::vector<double> squares(static_cast<size_t>(x.rows()), 0.0);
  ParallelChunks(x.rows(), kTaskRows, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      double sum = 0;
      for (Index j = 0; j < x.cols(); ++j) sum += Square(x.row(r)[j]);
      squares[r] = sum;
    }
  });
  return squares;
}

std::vector<double> SquaresOfColumns(const Tensor& x) {
  std::vector<double> squares(static_cast<size_t>(x.cols()), 0.0);
  ParallelChunks(x.cols(), kTaskRows, [&](Index begin, Index end) {
    for (Index r = 0; r < x.rows(); ++r) {
      for (Index j = begin; j < end; ++j) squares[j] += Square(x.row(r)[j]);
    }
  });
  return squares;
}

double Sum(const std::vector<double>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0.0); }

}  // namespace ampgrad::train
