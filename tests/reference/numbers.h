#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "tensor/random.h"
#include "tensor/tensor.h"

/// The numbers that checks are made of.
namespace ampgrad {

inline constexpr uint64_t kSeed = 7;
inline constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();
inline constexpr double kEpsilon = std::numeric_limits<Real>::epsilon();

/// Normal numbers; another `stream` for every tensor of a check.
inline Tensor Normal(Shape shape, uint64_t stream, double stddev = 1) {
  return Random(kSeed, stream).NormalTensor(shape, stddev);
}

inline double Dot(const Real* a, const Real* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

inline double Norm(const Real* a, Index n) { return std::sqrt(Dot(a, a, n)); }

}  // namespace ampgrad
