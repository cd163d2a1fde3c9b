// Vectorised loops against their definitions in double, for every instruction set, at every length around a vector and
// with guards around the output. What an op adds on top is tested with the op.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tensor/kernels/kernels.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/support/simd_sweep.h"

namespace ampgrad::kernels {
namespace {

std::vector<double> NormalNumbers(Index n, uint64_t stream, double deviation = 2) {
  const Tensor t = Random(5, stream).NormalTensor({n}, deviation);  // rounded to Real, so that both sides see the same
  return {t.begin(), t.end()};
}

using UnaryKernel = void (*)(const Real*, Real*, Index);
using BinaryKernel = void (*)(const Real*, const Real*, Real*, Index);
using SinkKernel = void (*)(const Real*, const Real*, Sink, Index);

void CheckUnary(UnaryKernel kernel, const std::function<double(double)>& f, double roundings) {
  ForEachSimdTarget([&] {
    for (const Index n : SweepLengths()) {
      const std::vector<double> x = NormalNumbers(n, 1);
      GuardedBuffer in(x), out(n, 99);
      kernel(in.data(), out.data(), n);
      std::vector<double> expected, scale;
      for (const double value : x) {
        expected.push_back(f(value));
        scale.push_back(std::abs(value) + std::abs(f(value)));
      }
      ExpectClose(out, expected, scale, roundings);
    }
  });
}

void CheckBinary(BinaryKernel kernel, const std::function<double(double, double)>& f, double roundings) {
  ForEachSimdTarget([&] {
    for (const Index n : SweepLengths()) {
      const std::vector<double> x = NormalNumbers(n, 1), y = NormalNumbers(n, 2);
      GuardedBuffer a(x), b(y), out(n, std::numeric_limits<Real>::quiet_NaN());
      kernel(a.data(), b.data(), out.data(), n);
      std::vector<double> expected, scale;
      for (Index i = 0; i < n; ++i) {
        expected.push_back(f(x[i], y[i]));
        scale.push_back(std::abs(x[i]) + std::abs(y[i]) + std::abs(x[i] * y[i]));
      }
      ExpectClose(out, expected, scale, roundings);
    }
  });
}

// A kernel that writes to a sink: onto nothing, onto the output itself, and onto another array.
void CheckSink(SinkKernel kernel, const std::function<double(double, double)>& f, double roundings) {
  ForEachSimdTarget([&] {
    for (const Index n : SweepLengths()) {
      const std::vector<double> x = NormalNumbers(n, 1), y = NormalNumbers(n, 2), start = NormalNumbers(n, 3);
      GuardedBuffer a(x), b(y), other(start), in_place(start);
      GuardedBuffer set(n, std::numeric_limits<Real>::quiet_NaN()), apart(n, std::numeric_limits<Real>::quiet_NaN());
      kernel(a.data(), b.data(), {set.data()}, n);
      kernel(a.data(), b.data(), {in_place.data(), in_place.data()}, n);
      kernel(a.data(), b.data(), {apart.data(), other.data()}, n);
      std::vector<double> alone, sum, scale;
      for (Index i = 0; i < n; ++i) {
        alone.push_back(f(x[i], y[i]));
        sum.push_back(start[i] + alone[i]);
        scale.push_back(std::abs(x[i]) + std::abs(y[i]) + std::abs(x[i] * y[i]) + std::abs(start[i]));
      }
      ExpectClose(set, alone, scale, roundings);
      ExpectClose(in_place, sum, scale, roundings);
      ExpectClose(apart, sum, scale, roundings);
    }
  });
}

double SigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }
double GeluOf(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }
double GeluSlope(double x) {
  const double t = std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}
double SiluSlope(double x) { return SigmoidOf(x) * (1 + x * (1 - SigmoidOf(x))); }

TEST(Kernels, AddMatches) {
  CheckBinary(
      Add, [](double x, double y) { return x + y; }, 1);
}
TEST(Kernels, MulMatches) {
  CheckSink(
      Mul, [](double x, double y) { return x * y; }, 2);
}
// The relative error of an exponential grows with its argument, which is at most a few units here.
TEST(Kernels, GeluMatches) { CheckUnary(Gelu, GeluOf, 16); }
TEST(Kernels, SiluMatches) {
  CheckUnary(
      Silu, [](double x) { return x * SigmoidOf(x); }, 8);
}
TEST(Kernels, GeluBackwardMatches) {
  CheckSink(
      GeluBackward, [](double x, double dy) { return dy * GeluSlope(x); }, 32);
}
TEST(Kernels, SiluBackwardMatches) {
  CheckSink(
      SiluBackward, [](double x, double dy) { return dy * SiluSlope(x); }, 16);
}

TEST(Kernels, ScaleMatches) {
  ForEachSimdTarget([] {
    for (const Index n : SweepLengths()) {
      const std::vector<double> x = NormalNumbers(n, 1);
      GuardedBuffer out(x);
      Scale(Real(-1.5), out.data(), n);
      std::vector<double> expected;
      for (const double value : x) expected.push_back(-1.5 * value);
      ExpectClose(out, expected, std::vector<double>(n, 20), 1);
    }
  });
}

// The column sums of `rows` rows, added to sums that begin at 3.
void CheckColumnSums(Index rows, Index cols) {
  const std::vector<double> x = NormalNumbers(rows * cols, 1);
  GuardedBuffer in(x), sums(cols, 3);
  AddColumnSums(in.data(), rows, cols, sums.data());
  std::vector<double> expected(cols, 3), scale(cols, 3);
  for (Index i = 0; i < rows * cols; ++i) {
    expected[i % cols] += x[i];
    scale[i % cols] += std::abs(x[i]);
  }
  ExpectClose(sums, expected, scale, static_cast<double>(rows));
}

TEST(Kernels, ColumnSumsMatch) {
  ForEachSimdTarget([] {
    for (const Index rows : {1, 19, 128, 300}) {  // the work of one task, and of several
      for (const Index cols : {1, 7, 16, 33, 300}) CheckColumnSums(rows, cols);
    }
  });
}

TEST(Kernels, SumSquaresIsDoubleAndNeedsNoScaling) {
  for (const Index n : SweepLengths()) {
    const std::vector<double> x = NormalNumbers(n, 1);
    GuardedBuffer in(x);
    double expected = 0;
    for (const double value : x) expected += value * value;
    EXPECT_NEAR(SumSquares(in.data(), n), expected, 1e-12 * (expected + 1));
  }
  GuardedBuffer large(3, Real(1e30));  // its square overflows float
  EXPECT_NEAR(SumSquares(large.data(), 3), 3e60, 1e54);
}

TEST(Kernels, SumsHaveTheSameBitsForAnyThreadCount) {
  const Index rows = 301, cols = 257;
  const std::vector<double> x = NormalNumbers(rows * cols, 1), dy = NormalNumbers(rows * cols, 2);
  const auto run = [&](int threads) {
    SetNumThreads(threads);
    GuardedBuffer in(x), grad(dy), gain(cols, 1), mean(rows), rstd(rows), y(rows * cols), dx(rows * cols), dgain(cols),
        dbias(cols), sums(cols);
    AddColumnSums(in.data(), rows, cols, sums.data());
    LayerNorm(in.data(), gain.data(), gain.data(), rows, cols, Real(1e-5), y.data(), mean.data(), rstd.data());
    LayerNormBackward(in.data(), gain.data(), mean.data(), rstd.data(), grad.data(), rows, cols, {dx.data()},
                      dgain.data(), dbias.data());
    const double squares = SumSquares(in.data(), rows * cols);
    SetNumThreads(0);
    std::vector<double> all = sums.Doubles();
    for (GuardedBuffer* part : {&y, &dx, &dgain, &dbias}) {
      const std::vector<double> numbers = part->Doubles();
      all.insert(all.end(), numbers.begin(), numbers.end());
    }
    all.push_back(squares);
    return all;
  };
  const std::vector<double> one = run(1);
  EXPECT_EQ(one, run(2));
  EXPECT_EQ(one, run(3));
}

}  // namespace
}  // namespace ampgrad::kernels
