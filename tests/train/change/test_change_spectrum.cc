#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ct/singular.h"
#include "tensor/kernels/eigen/eigen.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"
#include "tensor/stored_tensor.h"
#include "tensor/thread_pool.h"
#include "train/change/change_spectrum.h"

namespace ampgrad::train {
namespace {

ChangeSpectrum SpectrumOfRows(const Tensor& rows, double rounding = 0) {
  const Index d = rows.cols();
  std::vector<double> gram(static_cast<size_t>(d * d), 0.0);
  ct::AddGramInDouble(rows, gram);
  return SpectrumOf(DecomposeSymmetric(gram, d, 0).values, rows.rows(), d, rounding);
}

// Uᵀ·diag(σ)·V with orthonormal rows of U and V.
Tensor WithSingularValues(const std::vector<double>& sigma, Index n, Index d) {
  const Index r = static_cast<Index>(sigma.size());
  const Tensor u = ct::RandomOrthonormal(r, n, 1, 1), v = ct::RandomOrthonormal(r, d, 1, 2);
  Tensor w({n, d});
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < d; ++j) {
      double sum = 0;
      for (Index k = 0; k < r; ++k) sum += sigma[k] * u.row(k)[i] * v.row(k)[j];
      w.row(i)[j] = static_cast<Real>(sum);
    }
  }
  return w;
}

// By hand: AᵀA = [[25, 20], [20, 25]] has the eigenvalues 45 and 5.
TEST(ChangeSpectrum, OfTwoByTwoIsWhatTheHandFinds) {
  const ChangeSpectrum spectrum = SpectrumOfRows(Tensor::FromValues({2, 2}, {3, 0, 4, 5}));
  ASSERT_EQ(spectrum.values.size(), 2u);
  EXPECT_NEAR(spectrum.values[0], std::sqrt(45.0), 1e-14);
  EXPECT_NEAR(spectrum.values[1], std::sqrt(5.0), 1e-14);
  EXPECT_NEAR(spectrum.effective_rank, std::exp(-0.9 * std::log(0.9) - 0.1 * std::log(0.1)), 1e-14);
  EXPECT_NEAR(spectrum.participation_ratio, 2500.0 / 2050, 1e-14);
  EXPECT_NEAR(spectrum.stable_rank, 50.0 / 45, 1e-14);
  EXPECT_EQ(spectrum.rank, 2);
}

// A Gram matrix in float would give noise of 3e-4 in place of the last value, and of the zeros behind it.
TEST(ChangeSpectrum, FindsAValueTenThousandTimesBelowTheFirst) {
  const ChangeSpectrum spectrum = SpectrumOfRows(WithSingularValues({1, 0.1, 1e-4}, 50, 37));
  const double rounding = sizeof(Real) == 4 ? 1e-6 : 1e-12;
  ASSERT_EQ(spectrum.values.size(), 37u);
  EXPECT_NEAR(spectrum.values[0], 1, rounding);
  EXPECT_NEAR(spectrum.values[1], 0.1, rounding);
  EXPECT_NEAR(spectrum.values[2], 1e-4, rounding);
  EXPECT_EQ(spectrum.rank, 3);
}

// Against the triplets, whose Gram matrix is made by the product kernels.
TEST(ChangeSpectrum, AgreesWithTheSingularTriplets) {
  for (const Shape shape : {Shape{90, 70}, Shape{70, 70}, Shape{71, 33}}) {
    SCOPED_TRACE(shape.ToString());
    const Tensor w = Random(5, 1).NormalTensor(shape, 1);
    const ct::SingularTriplets triplets = ct::ComputeSingular(w, shape.cols(), ct::Spectrum::kTop);
    const ChangeSpectrum spectrum = SpectrumOfRows(w);
    ASSERT_EQ(spectrum.values.size(), std::min(kKeptValues, triplets.values.size()));
    for (size_t i = 0; i < spectrum.values.size(); ++i) {
      EXPECT_NEAR(spectrum.values[i], triplets.values[i], sizeof(Real) == 4 ? 1e-4 : 1e-12);
    }
  }
}

TEST(ChangeSpectrum, EqualValuesFillTheRank) {
  const ChangeSpectrum spectrum = SpectrumOfRows(WithSingularValues({2, 2, 2, 2}, 20, 12));
  EXPECT_NEAR(spectrum.effective_rank, 4, 1e-4);
  EXPECT_NEAR(spectrum.participation_ratio, 4, 1e-4);
  EXPECT_NEAR(spectrum.stable_rank, 4, 1e-4);
  EXPECT_EQ(spectrum.rank, 4);
}

TEST(ChangeSpectrum, OfZeroHasNoRank) {
  const ChangeSpectrum spectrum = SpectrumOfRows(Tensor({5, 4}));
  EXPECT_EQ(spectrum.rank, 0);
  EXPECT_EQ(spectrum.effective_rank, 0);
  EXPECT_TRUE(spectrum.values.empty());
}

TEST(ChangeSpectrum, HasTheSameBitsForAnyNumberOfThreads) {
  const Tensor w = Random(5, 1).NormalTensor({130, 100}, 1);
  std::vector<double> first(100 * 100, 0.0);
  ct::AddGramInDouble(w, first);
  for (const int threads : {1, 3}) {
    SetNumThreads(threads);
    std::vector<double> gram(100 * 100, 0.0);
    ct::AddGramInDouble(w, gram);
    EXPECT_EQ(gram, first);
  }
  SetNumThreads(0);
}

// The norm of what rounding to 16 bits does to weights of very different scale, against its bound.
TEST(RoundingNorm, BoundsWhatRoundingAddsAndIsNotFarAboveIt) {
  for (const StoredType type : {StoredType::kBf16, StoredType::kF16}) {
    Tensor w = Random(6, 1).NormalTensor({160, 96}, 1);
    for (Index i = 0; i < 96; ++i) w.row(7)[i] *= 30;
    const Tensor rounded = Rounded(w, type).Widened();
    Tensor error(w.shape());
    RoundingNorm norm(96);
    for (Index r = 0; r < w.rows(); ++r) {
      std::vector<double> columns(96);
      double length = 0;
      for (Index j = 0; j < 96; ++j) {
        error.row(r)[j] = rounded.row(r)[j] - w.row(r)[j];
        columns[j] = static_cast<double>(rounded.row(r)[j]) * rounded.row(r)[j];
        length += columns[j];
      }
      norm.Add(std::ldexp(1, type == StoredType::kBf16 ? -7 : -10), length, columns);
    }
    const double largest = SpectrumOfRows(error).values[0];
    EXPECT_LT(largest, norm.Value());
    EXPECT_GT(largest, norm.Value() / 6);
  }
}

// Both moments against random subspaces, for a change of one dimension and for one of many.
TEST(RandomShare, AgreesWithRandomSubspaces) {
  constexpr Index kWidth = 12, kDim = 4, kDraws = 4000;
  for (const std::vector<double>& sigma : {std::vector<double>{1}, {1, 0.9, 0.8, 0.5, 0.5, 0.3}}) {
    const Index r = static_cast<Index>(sigma.size());
    double total = 0, fourth = 0, sum = 0, squares = 0, above = 0;
    for (const double s : sigma) total += s * s, fourth += s * s * s * s;
    const RandomShare random = ShareOfRandomSpan(kDim, kWidth, total * total / fourth);
    for (Index draw = 0; draw < kDraws; ++draw) {
      const Tensor span = ct::RandomOrthonormal(kDim, kWidth, static_cast<uint64_t>(draw), 3);
      double share = 0;  // of the change diag(σ), whose rows are axes
      for (Index i = 0; i < r; ++i) {
        for (Index k = 0; k < kDim; ++k) share += std::pow(sigma[i] * span.row(k)[i], 2) / total;
      }
      sum += share, squares += share * share, above += share > random.level;
    }
    const double mean = sum / kDraws, deviation = std::sqrt(squares / kDraws - mean * mean);
    EXPECT_DOUBLE_EQ(random.mean, 4.0 / 12);
    EXPECT_NEAR(mean, random.mean, 5 * deviation / std::sqrt(kDraws));
    EXPECT_NEAR((random.level - random.mean) / 1.6448536 / deviation, 1, 0.06);
    EXPECT_NEAR(above / kDraws, 0.05, 0.02);
  }
}

TEST(RandomShare, OfTheWholeSpaceIsOne) {
  EXPECT_EQ(ShareOfRandomSpan(1, 1, 1).level, 1);
  EXPECT_EQ(ShareOfRandomSpan(8, 8, 3).mean, 1);
  EXPECT_EQ(ShareOfRandomSpan(7, 8, 1).level, 1);
}

}  // namespace
}  // namespace ampgrad::train
