#pragma once

#include <vector>

#include "tensor/real.h"

namespace ampgrad {

/// Eigenvalues and eigenvectors of a real symmetric matrix, always in double.
struct SymmetricEigen {
  std::vector<double> values;   // [n], descending
  std::vector<double> vectors;  // [n, n], row i belongs to values[i]; unit length; its entry of largest magnitude (the
                                // first such) is positive, which fixes the sign
};

/// `a` [n, n] row-major; only its symmetric part is meaningful. Householder reduction to tridiagonal form, then the QL
/// iteration with implicit shifts (Golub and Van Loan, "Matrix Computations", sections 8.3.1 and 8.3.3).
/// Throws std::invalid_argument when `a` is not n x n or not finite.
SymmetricEigen DecomposeSymmetric(std::vector<double> a, Index n);

}  // namespace ampgrad
