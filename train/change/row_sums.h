#pragma once

#include <vector>

#include "tensor/tensor.h"

/// Sums of squares of rows [n, d], in double and always in the same order.
namespace ampgrad::train {

/// after − before, of tensors of one shape. Numbers within a factor of two of each other have an exact difference
/// (Sterbenz, "Floating-Point Computation", 1974), every other one is rounded once: only sums need double.
Tensor Difference(const Tensor& after, const Tensor& before);

/// The squared norm of each row [n].
std::vector<double> SquaresOfRows(const Tensor& x);
/// The squared norm of each column [d].
std::vector<double> SquaresOfColumns(const Tensor& x);

/// The sum of all, one after another.
double Sum(const std::vector<double>& numbers);

}  // namespace ampgrad::train
