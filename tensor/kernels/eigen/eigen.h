#pragma once

#include <vector>

#include "tensor/real.h"

namespace ampgrad {

/// Eigenvalues and top eigenvectors of a real symmetric matrix, always in double.
struct SymmetricEigen {
  std::vector<double> values;   // [n], descending: all of them
  std::vector<double> vectors;  // [wanted, n], row i belongs to values[i] and has length 1; its first entry of
                                // largest magnitude is positive, which fixes the sign
};

/// Decomposes the symmetric matrix `a` [n, n], n >= 1, row-major, by its upper triangle alone. It reduces `a` to
/// tridiagonal form and then uses the QL iteration with implicit shifts (Golub and Van Loan, "Matrix Computations",
/// sections 8.3.1 and 8.3.3). Throws std::invalid_argument when `a` is not n x n, an entry of either triangle is not
/// finite, or `wanted` is not in 0..n, and std::runtime_error when the iteration does not converge.
SymmetricEigen DecomposeSymmetric(const std::vector<double>& a, Index n, Index wanted);

}  // namespace ampgrad
