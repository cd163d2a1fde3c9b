#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tensor/kernels/simd/simd_target.h"
#include "tensor/tensor.h"

/// What every kernel test sweeps over: each instruction set that this CPU has, lengths around the vector width, and
/// buffers with guards behind them.
namespace ampgrad {

/// Runs `body` once for each instruction set.
template <class Body>
void ForEachSimdTarget(Body body) {
  const std::string before = SimdTarget();
  for (const std::string& target : SimdTargets()) {
    SCOPED_TRACE("SIMD target " + target);
    UseSimdTarget(target);
    body();
  }
  UseSimdTarget(before);
}

/// 0 to 33, one more than two vectors of 16, and a length of several chunks.
inline std::vector<Index> SweepLengths() {
  std::vector<Index> lengths;
  for (Index n = 0; n <= 33; ++n) lengths.push_back(n);
  lengths.push_back(70001);
  return lengths;
}

/// `n` numbers at a misaligned address, with guards before and behind that must not change.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(Index n, Real value = 0) : n_(n), storage_(n + 2 * kGuard, kMark) {
    std::fill_n(data(), n, value);
  }
  explicit GuardedBuffer(const std::vector<double>& values) : GuardedBuffer(static_cast<Index>(values.size())) {
    std::copy(values.begin(), values.end(), data());
  }
  ~GuardedBuffer() {
    for (Index i = 0; i < kGuard; ++i) {
      EXPECT_EQ(storage_[i], kMark) << "written before the start";
      EXPECT_EQ(storage_[kGuard + n_ + i], kMark) << "written past the end";
    }
  }
  Real* data() { return storage_.data() + kGuard; }
  Real operator[](Index i) const { return storage_[kGuard + i]; }
  std::vector<double> Doubles() { return {data(), data() + n_}; }

 private:
  static constexpr Index kGuard = 17;  // odd, so that data() is not aligned to a vector
  static constexpr Real kMark = Real(-12345.5);
  Index n_;
  std::vector<Real> storage_;
};

/// |found − expected| <= bound for every element, the bound in roundings of `scale`: a NaN fails.
inline void ExpectClose(GuardedBuffer& found, const std::vector<double>& expected, const std::vector<double>& scale,
                        double roundings) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(found[static_cast<Index>(i)] - expected[i]);
    const double bound = roundings * std::numeric_limits<Real>::epsilon() * scale[i];
    if (!(error <= bound)) {
      ADD_FAILURE() << "element " << i << " of " << expected.size() << ": found " << found[static_cast<Index>(i)]
                    << ", expected " << expected[i] << ", error " << error << " over " << bound;
      return;
    }
  }
}

}  // namespace ampgrad
