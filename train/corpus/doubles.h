#pragma once

#include <cstddef>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::corpus {

/// A matrix [rows, cols] of doubles, row-major: regression and spectra are computed in double whatever Real is.
struct Doubles {
  Doubles() = default;
  Doubles(Index row_count, Index col_count)
      : rows(row_count), cols(col_count), values(static_cast<size_t>(row_count * col_count), 0.0) {}

  double* row(Index i) { return values.data() + i * cols; }
  const double* row(Index i) const { return values.data() + i * cols; }

  Index rows = 0, cols = 0;
  std::vector<double> values;
};

/// c [columns] += a [k]·b for some columns of b, whose rows are n numbers apart. The sums stay in registers.
template <Index columns>
inline void AddRowProduct(const double* a, const double* b, Index k, Index n, double* c) {
  double sums[columns];
  for (Index j = 0; j < columns; ++j) sums[j] = c[j];
  for (Index l = 0; l < k; ++l) {
    for (Index j = 0; j < columns; ++j) sums[j] += a[l] * b[l * n + j];
  }
  for (Index j = 0; j < columns; ++j) c[j] = sums[j];
}

/// c [m, n] += a·b for a [m, k] and b [k, n], on the calling thread, summed over k in order.
inline void AddProduct(const double* a, const double* b, Index m, Index k, Index n, double* c) {
  for (Index i = 0; i < m; ++i) {
    Index j = 0;
    for (; j + 16 <= n; j += 16) AddRowProduct<16>(a + i * k, b + j, k, n, c + i * n + j);
    for (; j + 4 <= n; j += 4) AddRowProduct<4>(a + i * k, b + j, k, n, c + i * n + j);
    for (; j < n; ++j) AddRowProduct<1>(a + i * k, b + j, k, n, c + i * n + j);
  }
}

/// a·b
inline Doubles Product(const Doubles& a, const Doubles& b) {
  Doubles c(a.rows, b.cols);
  AddProduct(a.values.data(), b.values.data(), a.rows, a.cols, b.cols, c.values.data());
  return c;
}

/// The transpose [cols, rows] of x [rows, cols].
inline Doubles Transposed(const Doubles& x) {
  Doubles y(x.cols, x.rows);
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) y.row(j)[i] = x.row(i)[j];
  }
  return y;
}

}  // namespace ampgrad::corpus
