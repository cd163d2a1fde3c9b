#include <gtest/gtest.h>

#include <cmath>

#include "train/spectra/k_laws.h"
#include "train/spectra/labels.h"

namespace ampgrad::train {
namespace {

// d = 256 with λ_i = 1/i².
ct::ModelSpectra PowerLaw(Index d, double power) {
  ct::ModelSpectra spectra{};
  spectra.width = d;
  for (Index i = 1; i <= d; ++i) spectra.eigenvalues.push_back(std::pow(static_cast<double>(i), -power));
  return spectra;
}

TEST(KLaws, AreThePapersArithmetic) {
  const KScaling scaling = ScaleK(PowerLaw(256, 2));
  ASSERT_EQ(scaling.laws.size(), 4u);
  EXPECT_EQ(scaling.laws[0].k, 8);
  EXPECT_EQ(scaling.laws[1].k, 16);
  EXPECT_NEAR(scaling.laws[2].k, 27.9, 0.05);  // as the 1.1B paper's own law has it
  EXPECT_EQ(scaling.laws[3].k, 2);
  EXPECT_NEAR(ScaleK(PowerLaw(2048, 2)).laws[2].k, 97, 0.1);
  EXPECT_NEAR(ScaleK(PowerLaw(4096, 2)).laws[2].k, 147, 0.1);
}

TEST(KLaws, NeededIsTheLeastKThatReachesTheLevel) {
  const ct::ModelSpectra spectra = PowerLaw(256, 1);
  for (const KNeeded& need : ScaleK(spectra).needed) {
    double total = 0, top = 0;
    for (const double value : spectra.eigenvalues) total += value;
    for (Index i = 0; i < need.k; ++i) top += spectra.eigenvalues[i];
    EXPECT_GE(top / total, need.r2);
    EXPECT_LT((top - spectra.eigenvalues[need.k - 1]) / total, need.r2);
    EXPECT_EQ(need.part, static_cast<double>(need.k) / 256);
  }
}

// Equal eigenvalues have PR = K, and so the exponent 1; λ_i ~ i^−½ gives Σλ ~ 2√K and Σλ² ~ log K, an exponent below
// it.
TEST(KLaws, FitsTheExponent) {
  const PowerFit flat = ScaleK(PowerLaw(256, 0)).spectrum;
  EXPECT_NEAR(flat.exponent, 1, 1e-12);
  EXPECT_NEAR(flat.low, 1, 1e-6);
  EXPECT_EQ(flat.points, 7);  // K = 2, 4, …, 128
  EXPECT_EQ(flat.last, 128);
  EXPECT_FALSE(flat.HoldsRoot());
  const PowerFit steep = ScaleK(PowerLaw(256, 0.5)).spectrum;
  EXPECT_LT(steep.exponent, 0.95);
  EXPECT_LT(steep.low, steep.exponent);
  EXPECT_GT(steep.high, steep.exponent);
  EXPECT_TRUE(std::isnan(ScaleK(PowerLaw(4, 0)).spectrum.exponent));  // K = 2 alone
}

// The interval of a slope, by hand: points (log 2, 0), (log 4, log 2), (log 8, log 2) have slope ½ and residuals
// −1/6, 2/6, −1/6 times log 2.
TEST(KLaws, TheIntervalIsStudents) {
  ct::ModelSpectra spectra = PowerLaw(2, 0);
  for (const auto& [k, pr] : {std::pair<Index, double>{2, 1}, {4, 2}, {8, 2}}) {
    spectra.by_k[k] = {};
    spectra.matrices.resize(1);
    spectra.matrices[0].by_k[k].amplitude_pr = ct::Untested(pr);
  }
  const PowerFit fit = ScaleK(spectra).matrices;
  EXPECT_NEAR(fit.exponent, 0.5, 1e-12);
  // s² = Σe²/(n − 2) = log²2/6; its error is √(s²/(2·log²2)), and t₀.₀₂₅ of one degree is 12.7062.
  EXPECT_NEAR(fit.high - fit.exponent, 12.7062 * std::sqrt(1.0 / 12), 1e-3);
  EXPECT_TRUE(fit.HoldsRoot());
}

TEST(CrystalLabel, HasItsBordersBetweenThePapersValues) {
  EXPECT_STREQ(CrystalLabel(1.03), "crystallizable");
  EXPECT_STREQ(CrystalLabel(1.69), "crystallizable");
  EXPECT_STREQ(CrystalLabel(2.95), "compressible");
  EXPECT_STREQ(CrystalLabel(4.18), "irreducible");
  EXPECT_STREQ(CrystalLabel(6.18), "irreducible");
}

}  // namespace
}  // namespace ampgrad::train
