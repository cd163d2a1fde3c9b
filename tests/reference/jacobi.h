#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::reference {

struct Eigen {
  std::vector<double> values;   // [n], descending
  std::vector<double> vectors;  // [n, n], row i belongs to values[i]; of either sign
};

/// Eigenvalues of a symmetric matrix a [n, n] by Jacobi's method, which rotates pairs of off-diagonal elements to zero,
/// one pair after another.
inline Eigen Jacobi(std::vector<double> a, Index n) {
  std::vector<double> v(n * n);
  for (Index i = 0; i < n; ++i) v[i * n + i] = 1;
  // (x, y) ← (c x − s y, s x + c y)
  const auto rotate = [](double& x, double& y, double c, double s) {
    const double before = x;
    x = c * before - s * y;
    y = s * before + c * y;
  };
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (Index p = 0; p < n; ++p) {
      for (Index q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double angle = 0.5 * std::atan2(2 * a[p * n + q], a[q * n + q] - a[p * n + p]);
        const double c = std::cos(angle), s = std::sin(angle);
        for (Index k = 0; k < n; ++k) rotate(a[k * n + p], a[k * n + q], c, s);
        for (Index k = 0; k < n; ++k) rotate(a[p * n + k], a[q * n + k], c, s);
        for (Index k = 0; k < n; ++k) rotate(v[k * n + p], v[k * n + q], c, s);
      }
    }
  }
  std::vector<Index> order(n);
  for (Index i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](Index i, Index j) { return a[i * n + i] > a[j * n + j]; });
  Eigen eigen{std::vector<double>(n), std::vector<double>(n * n)};
  for (Index i = 0; i < n; ++i) {
    eigen.values[i] = a[order[i] * n + order[i]];
    for (Index k = 0; k < n; ++k) eigen.vectors[i * n + k] = v[k * n + order[i]];
  }
  return eigen;
}

}  // namespace ampgrad::reference
