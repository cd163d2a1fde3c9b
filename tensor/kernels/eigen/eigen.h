#pragma once

#include <vector>

#include "tensor/real.h"

namespace ampgrad {

/// Eigenvalues and top eigenvectors of a real symmetric matrix, always in double.
struct SymmetricEigen {
  std::vector<double> values;   // [n], descending: all of them
  std::vector<double> vectors;  // [wanted, n], row i belongs to values[i]; unit length; its entry of largest magnitude
                                // (the first such) is positive, which fixes the sign
};

/// `a` [n, n] row-major; of its two triangles, which ought to be equal, the upper one is read. Reduction to tridiagonal
/// form, then the QL iteration with implicit shifts (Golub and Van Loan, "Matrix Computations", sections 8.3.1 and
/// 8.3.3). Throws std::invalid_argument when `a` is not n x n or not finite, or `wanted` is not in 0..n.
SymmetricEigen DecomposeSymmetric(const std::vector<double>& a, Index n, Index wanted);

}  // namespace ampgrad
