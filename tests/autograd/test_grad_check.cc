#include <gtest/gtest-spi.h>

#include <string>

#include "tests/reference/ops.h"
#include "tests/support/op_testing.h"

/// The checker must reject: each backward below is wrong in one way that has been seen in real
/// code. Every op is written here, so that nothing depends on the library's own ops.
namespace ampgrad {
namespace {

/// The backward of an op with two inputs.
using Backward2 = std::function<void(const Tensor& a, const Tensor& b, const Tensor& dY, InputGrads& d)>;

// product   y = a ⊙ b,  da += dY ⊙ b,  db += dY ⊙ a

Var Product(const Var& a, const Var& b, const Backward2& backward) {
  Tensor y(a.shape());
  for (Index i = 0; i < y.size(); ++i) y[i] = a.value[i] * b.value[i];
  return a.tape->Record("product", y, {&a, &b}, [a = a.value, b = b.value, backward](const Tensor& dY, InputGrads& d) {
    backward(a, b, dY, d);
  });
}

void ProductBackward(const Tensor& a, const Tensor& b, const Tensor& dY, InputGrads& d) {
  for (Index i = 0; i < dY.size(); ++i) {
    (*d.AddWithin(0))[i] += dY[i] * b[i];
    (*d.AddWithin(1))[i] += dY[i] * a[i];
  }
}

std::vector<CheckInput> ProductInputs() { return {{"a", Normal({3, 7}, 0)}, {"b", Normal({3, 7}, 1)}}; }

std::vector<Complex> ProductReference(const ComplexInputs& x) { return reference::Mul(x[0], x[1]); }

GradReport CheckProduct(const Backward2& backward) {
  return CheckGrad(
      "product", [&](Tape&, const std::vector<Var>& v) { return Product(v[0], v[1], backward); }, ProductReference,
      ProductInputs(), kSeed);
}

// A product backward that is right for b and does `wrong` for each element of a.
GradReport CheckProductWithWrongA(const std::function<void(Real& da, Real dY, Real b, Index i)>& wrong) {
  return CheckProduct([&](const Tensor& a, const Tensor& b, const Tensor& dY, InputGrads& d) {
    for (Index i = 0; i < dY.size(); ++i) {
      wrong((*d.AddWithin(0))[i], dY[i], b[i], i);
      (*d.AddWithin(1))[i] += dY[i] * a[i];
    }
  });
}

// Expects that only the gradient of a is rejected.
void ExpectOnlyGradientOfARejected(const GradReport& report) {
  EXPECT_FALSE(report.Passed());
  EXPECT_TRUE(report.forward.Passed());
  ASSERT_EQ(report.inputs.size(), 2u);
  EXPECT_FALSE(report.inputs[0].gradient.Passed());
  EXPECT_TRUE(report.inputs[1].Passed());
}

TEST(GradCheck, AcceptsTheRightProduct) {
  const GradReport report = CheckProduct(ProductBackward);
  EXPECT_TRUE(report.Passed()) << report.ToString();
  EXPECT_EQ(report.ToString(), "");
}

TEST(GradCheck, RejectsAWrongSign) {
  ExpectOnlyGradientOfARejected(CheckProductWithWrongA([](Real& da, Real dY, Real b, Index) { da -= dY * b; }));
}

TEST(GradCheck, RejectsADroppedFactor) {
  ExpectOnlyGradientOfARejected(CheckProductWithWrongA([](Real& da, Real dY, Real, Index) { da += dY; }));
}

TEST(GradCheck, RejectsAnIgnoredIncomingGradient) {
  ExpectOnlyGradientOfARejected(CheckProductWithWrongA([](Real& da, Real, Real b, Index) { da += b; }));
}

TEST(GradCheck, RejectsASlightlyWrongConstant) {
  ExpectOnlyGradientOfARejected(
      CheckProductWithWrongA([](Real& da, Real dY, Real b, Index) { da += dY * b * Real(1.0001); }));
}

TEST(GradCheck, RejectsASingleNaN) {
  const GradReport report = CheckProductWithWrongA(
      [](Real& da, Real dY, Real b, Index i) { da += i == 4 ? std::numeric_limits<Real>::quiet_NaN() : dY * b; });
  ExpectOnlyGradientOfARejected(report);
  EXPECT_EQ(report.inputs[0].gradient.index, 4);
}

TEST(GradCheck, RejectsAnInfinity) {
  ExpectOnlyGradientOfARejected(CheckProductWithWrongA(
      [](Real& da, Real dY, Real b, Index i) { da += i == 4 ? std::numeric_limits<Real>::infinity() : dY * b; }));
}

TEST(GradCheck, RejectsAMissedTail) {
  const GradReport report = CheckProductWithWrongA([](Real& da, Real dY, Real b, Index i) {
    if (i < 20) da += dY * b;  // of 21 elements
  });
  ExpectOnlyGradientOfARejected(report);
  EXPECT_EQ(report.inputs[0].gradient.index, 20);
}

TEST(GradCheck, RejectsAnAssignedGradient) {
  const GradReport report = CheckProductWithWrongA([](Real& da, Real dY, Real b, Index) { da = dY * b; });
  EXPECT_FALSE(report.Passed());
  EXPECT_TRUE(report.inputs[0].gradient.Passed());  // one pass cannot show it
  EXPECT_FALSE(report.inputs[0].Passed());
  EXPECT_TRUE(report.inputs[1].Passed());
  EXPECT_NE(report.ToString().find("gradient of a is not added"), std::string::npos);
}

TEST(GradCheck, RejectsAMissingGradient) {
  const GradReport report = CheckProduct([](const Tensor& a, const Tensor&, const Tensor& dY, InputGrads& d) {
    for (Index i = 0; i < dY.size(); ++i) (*d.AddWithin(1))[i] += dY[i] * a[i];
  });
  ExpectOnlyGradientOfARejected(report);
}

TEST(GradCheck, RejectsAnOpThatRecordsNothing) {
  const GradReport report = CheckGrad(
      "product",
      [](Tape& tape, const std::vector<Var>& v) { return tape.Constant(Product(v[0], v[1], ProductBackward).value); },
      ProductReference, ProductInputs(), kSeed);
  EXPECT_TRUE(report.forward.Passed());
  EXPECT_FALSE(report.Passed());
}

TEST(GradCheck, RejectsAWrongForward) {
  const GradReport report = CheckGrad(
      "product", [](Tape&, const std::vector<Var>& v) { return Product(v[0], v[0], ProductBackward); },
      ProductReference, ProductInputs(), kSeed);
  EXPECT_FALSE(report.forward.Passed());
  EXPECT_FALSE(report.Passed());
}

TEST(GradCheck, RejectsAnOutputOfAnotherSize) {
  const GradReport report = CheckGrad(
      "product", [](Tape&, const std::vector<Var>& v) { return Product(v[0], v[1], ProductBackward); },
      [](const ComplexInputs& x) { return std::vector<Complex>(x[0].begin(), x[0].end() - 1); }, ProductInputs(),
      kSeed);
  EXPECT_FALSE(report.Passed());
}

TEST(GradCheck, RejectsACheckOfNothing) {
  EXPECT_FALSE(GradReport().Passed());
  GradReport report;
  report.forward.relative_error = 0;
  EXPECT_FALSE(report.Passed());
}

// matrix product   Y = X·W, both n by n, so that a transposed operand still fits:  dX += dY·Wᵀ

GradReport CheckSquareProduct(bool transposed) {
  constexpr Index kSize = 4;
  auto op = [=](Tape& tape, const std::vector<Var>& v) {
    Tensor y({kSize, kSize});
    for (Index i = 0; i < kSize; ++i) {
      for (Index j = 0; j < kSize; ++j) {
        for (Index r = 0; r < kSize; ++r) y.row(i)[j] += v[0].value.row(i)[r] * v[1].value.row(r)[j];
      }
    }
    return tape.Record("matmul", y, {&v[0], &v[1]},
                       [=, x = v[0].value, w = v[1].value](const Tensor& dY, InputGrads& d) {
                         for (Index i = 0; i < kSize; ++i) {
                           for (Index j = 0; j < kSize; ++j) {
                             for (Index r = 0; r < kSize; ++r) {
                               const Real weight = transposed ? w.row(j)[r] : w.row(r)[j];
                               d.AddWithin(0)->row(i)[r] += dY.row(i)[j] * weight;
                               d.AddWithin(1)->row(r)[j] += x.row(i)[r] * dY.row(i)[j];
                             }
                           }
                         }
                       });
  };
  auto reference = [](const ComplexInputs& x) { return reference::LinearInOut(x[0], x[1], {}, kSize, kSize, kSize); };
  return CheckGrad("matmul", op, reference, {{"x", Normal({kSize, kSize}, 0)}, {"weight", Normal({kSize, kSize}, 1)}},
                   kSeed);
}

TEST(GradCheck, AcceptsTheRightMatrixProduct) {
  const GradReport report = CheckSquareProduct(false);
  EXPECT_TRUE(report.Passed()) << report.ToString();
}

TEST(GradCheck, RejectsATransposedOperand) {
  const GradReport report = CheckSquareProduct(true);
  EXPECT_TRUE(report.forward.Passed());
  EXPECT_FALSE(report.inputs[0].Passed());
  EXPECT_TRUE(report.inputs[1].Passed());
  EXPECT_FALSE(report.Passed());
}

// bias   y_ij = x_ij + b_j,  dx += dY,  db_j += Σ_i dY_ij

GradReport CheckBias(bool sums_rows) {
  constexpr Index kRows = 5, kCols = 3;
  auto op = [=](Tape& tape, const std::vector<Var>& v) {
    Tensor y = v[0].value.Clone();
    for (Index i = 0; i < kRows; ++i) {
      for (Index j = 0; j < kCols; ++j) y.row(i)[j] += v[1].value[j];
    }
    return tape.Record("bias", y, {&v[0], &v[1]}, [=](const Tensor& dY, InputGrads& d) {
      for (Index i = 0; i < dY.size(); ++i) (*d.AddWithin(0))[i] += dY[i];
      for (Index i = 0; i < (sums_rows ? kRows : 1); ++i) {
        for (Index j = 0; j < kCols; ++j) (*d.AddWithin(1))[j] += dY.row(i)[j];
      }
    });
  };
  auto reference = [](const ComplexInputs& x) {
    std::vector<Complex> y = x[0];
    for (size_t i = 0; i < y.size(); ++i) y[i] += x[1][i % kCols];
    return y;
  };
  return CheckGrad("bias", op, reference, {{"x", Normal({kRows, kCols}, 0)}, {"b", Normal({kCols}, 1)}}, kSeed);
}

TEST(GradCheck, AcceptsTheRightBias) {
  const GradReport report = CheckBias(true);
  EXPECT_TRUE(report.Passed()) << report.ToString();
}

TEST(GradCheck, RejectsADroppedBiasSum) {
  const GradReport report = CheckBias(false);
  EXPECT_TRUE(report.inputs[0].Passed());
  EXPECT_FALSE(report.inputs[1].Passed());
  EXPECT_FALSE(report.Passed());
}

// softmax   y = e^x / Σ e^x over the whole tensor,  dx += y ⊙ (dY - <y, dY>)

GradReport CheckSoftmax(bool zeros) {
  auto op = [=](Tape& tape, const std::vector<Var>& v) {
    Tensor y = v[0].value.Clone();
    Real total = 0;
    for (Real& element : y) total += element = std::exp(element);
    for (Real& element : y) element /= total;
    return tape.Record("softmax", y, {&v[0]}, [=](const Tensor& dY, InputGrads& d) {
      Tensor& dx = *d.AddWithin(0);
      if (zeros) return;
      Real dot = 0;
      for (Index i = 0; i < y.size(); ++i) dot += y[i] * dY[i];
      for (Index i = 0; i < y.size(); ++i) dx[i] += y[i] * (dY[i] - dot);
    });
  };
  auto reference = [](const ComplexInputs& x) {
    Complex total = 0;
    for (const Complex& element : x[0]) total += std::exp(element);
    std::vector<Complex> y;
    for (const Complex& element : x[0]) y.push_back(std::exp(element) / total);
    return y;
  };
  return CheckGrad("softmax", op, reference, {{"x", Normal({9}, 0)}}, kSeed);
}

TEST(GradCheck, AcceptsTheRightSoftmax) {
  const GradReport report = CheckSoftmax(false);
  EXPECT_TRUE(report.Passed()) << report.ToString();
}

TEST(GradCheck, RejectsASoftmaxBackwardOfZeros) {
  const GradReport report = CheckSoftmax(true);
  EXPECT_TRUE(report.forward.Passed());
  EXPECT_FALSE(report.Passed());
}

// flat   y = 0·x: the gradient is analytically zero

GradReport CheckFlat(Real gradient) {
  auto op = [=](Tape& tape, const std::vector<Var>& v) {
    return tape.Record("flat", Tensor(v[0].shape()), {&v[0]}, [=](const Tensor& dY, InputGrads& d) {
      for (Index i = 0; i < dY.size(); ++i) (*d.AddWithin(0))[i] += gradient * dY[i];
    });
  };
  auto reference = [](const ComplexInputs& x) { return std::vector<Complex>(x[0].size()); };
  return CheckGrad("flat", op, reference, {{"x", Normal({5}, 0)}}, kSeed);
}

TEST(GradCheck, AcceptsZeroForAZeroGradient) {
  const GradReport report = CheckFlat(0);
  EXPECT_TRUE(report.Passed()) << report.ToString();
}

TEST(GradCheck, RejectsAnythingElseForAZeroGradient) {
  EXPECT_FALSE(CheckFlat(Real(1e-5)).Passed());
  EXPECT_FALSE(CheckFlat(std::numeric_limits<Real>::quiet_NaN()).Passed());
  EXPECT_FALSE(CheckFlat(std::numeric_limits<Real>::infinity()).Passed());
}

// The complex step itself, against derivatives known in closed form.

TEST(GradCheck, ComplexStepIsExactToRounding) {
  for (const double x : {-3.0, -0.5, 1e-3, 0.7, 2.0, 9.0}) {
    const std::vector<Complex> moved = reference::Silu<Complex>({{x, kStep}});
    const double s = 1 / (1 + std::exp(-x));
    const double expected = s * (1 + x * (1 - s));
    EXPECT_NEAR(moved[0].imag() / kStep, expected, 1e-15 * (1 + std::abs(expected)));
  }
}

TEST(GradCheck, FailureNamesOpInputIndexNumbersAndSeed) {
  const GradReport report =
      CheckProductWithWrongA([](Real& da, Real dY, Real b, Index i) { da += i == 13 ? Real(77.5) : dY * b; });
  const std::string text = report.ToString();
  std::ostringstream expected;
  expected.precision(17);
  expected << "expected " << report.inputs[0].gradient.expected;
  for (const std::string& part :
       {std::string("[product] gradient of a"), std::string("index 13"), std::string("found 77.5"), expected.str(),
        std::string("relative error"), std::string("seed 7")}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
  EXPECT_EQ(text.find("gradient of b"), std::string::npos);
}

TEST(GradCheck, AssertionFailsWhenTheReportDoes) {
  auto op = [](Tape&, const std::vector<Var>& v) {
    return Product(v[0], v[1], [](const Tensor&, const Tensor&, const Tensor&, InputGrads&) {});
  };
  EXPECT_NONFATAL_FAILURE(ExpectGradMatches("product", op, ProductReference, ProductInputs(), kSeed),
                          "[product] gradient of a");
}

// Comparator.

double ErrorOf(const std::vector<Real>& a, const std::vector<double>& reference, double floor = 0) {
  return RelativeError(a.data(), reference.data(), static_cast<Index>(a.size()), floor);
}

TEST(GradCheck, RelativeErrorIsAFrobeniusQuotient) {
  EXPECT_DOUBLE_EQ(ErrorOf({3, 4}, {3, 4}), 0);
  EXPECT_DOUBLE_EQ(ErrorOf({3, 3}, {3, 4}), 0.2);
  EXPECT_DOUBLE_EQ(ErrorOf({0, 0}, {3, 4}), 1);
  EXPECT_DOUBLE_EQ(ErrorOf({3, 3}, {3, 4}, 10), 0.1);
}

TEST(GradCheck, RelativeErrorOfZeros) {
  EXPECT_EQ(ErrorOf({0, 0}, {0, 0}), 0);
  EXPECT_TRUE(std::isinf(ErrorOf({0, 1}, {0, 0})));
  EXPECT_DOUBLE_EQ(ErrorOf({0, 1}, {0, 0}, 4), 0.25);
}

TEST(GradCheck, RelativeErrorKeepsNaNAndInfinity) {
  const Real nan = std::numeric_limits<Real>::quiet_NaN();
  const Real inf = std::numeric_limits<Real>::infinity();
  EXPECT_TRUE(std::isnan(ErrorOf({1, nan}, {1, 2})));
  EXPECT_TRUE(std::isnan(ErrorOf({1, 2}, {1, nan})));
  EXPECT_TRUE(std::isnan(ErrorOf({nan, nan}, {nan, nan})));
  EXPECT_TRUE(std::isnan(ErrorOf({nan, 0}, {0, 0}, 1)));
  EXPECT_TRUE(std::isinf(ErrorOf({1, inf}, {1, 2})));
  EXPECT_TRUE(std::isnan(ErrorOf({1, inf}, {1, inf})));
  EXPECT_FALSE(Comparison{std::nan("")}.Passed());
  EXPECT_FALSE(Comparison().Passed());
}

TEST(GradCheck, ComparisonFindsTheWorstElement) {
  const Comparison c = Compare(Tensor::FromValues({3}, {1, 5, 3}), {1, 2, 2});
  EXPECT_EQ(c.index, 1);
  EXPECT_DOUBLE_EQ(c.max_abs_error, 3);
  EXPECT_DOUBLE_EQ(c.found, 5);
  EXPECT_DOUBLE_EQ(c.expected, 2);
  const Real nan = std::numeric_limits<Real>::quiet_NaN();
  EXPECT_EQ(Compare(Tensor::FromValues({4}, {1, 9, nan, 30}), {1, 2, 2, 3}).index, 2);
  EXPECT_FALSE(Compare(Tensor(), {}).Passed());
  EXPECT_FALSE(Compare(Tensor({2}), {0, 0, 0}).Passed());
}

}  // namespace
}  // namespace ampgrad
