#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "tensor/random.h"
#include "tensor/tensor.h"

/// The numbers that checks are made of.
namespace ampgrad {

inline constexpr uint64_t kSeed = 7;
inline constexpr Real kNaN = std::numeric_limits<Real>::quiet_NaN();
inline constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
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

inline double Mean(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0) / x.size(); }

/// ‖a − b‖/‖b‖ of tensors of one size.
inline double RelativeError(const Tensor& a, const Tensor& b) {
  double difference = 0, norm = 0;
  for (Index i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace ampgrad
