#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tensor/gemm.h"
#include "tensor/gemm_tiles.h"
#include "tensor/random.h"
#include "tensor/simd_target.h"
#include "tensor/tiles.h"
#include "tests/expect_message.h"
#include "tests/simd_sweep.h"

namespace ampgrad::kernels {
namespace {

class Tiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!TilesAllowed()) GTEST_SKIP() << "no tile unit here, or the double build";
  }
};

// The nearest bfloat16 number, halves away from zero.
float Nearest(float x) { return std::bit_cast<float>((std::bit_cast<uint32_t>(x) + 0x8000) & 0xFFFF0000u); }

struct Parts {
  float of[3];
  explicit Parts(float x) : of{Nearest(x), 0, 0} {
    of[1] = Nearest(x - of[0]);
    of[2] = x - of[0] - of[1];
  }
};

// The sum of C and a run of up to 32 products as the unit makes it: one chain over the even k, one over the odd, both in
// float with one rounding a step, then their sum, then C. (Intel 64 Software Developer's Manual, TDPBF16PS.)
float AddRun(float c, const std::vector<Parts>& a, int part_a, const std::vector<Parts>& b, int part_b) {
  float chains[2] = {0, 0};
  for (size_t k = 0; k < a.size(); ++k) chains[k % 2] = std::fma(a[k].of[part_a], b[k].of[part_b], chains[k % 2]);
  return c + (chains[0] + chains[1]);
}

// The product of a row and a column, by the definition in gemm_tiles.h.
float TileDot(float c, const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t k0 = 0; k0 < a.size(); k0 += 32) {
    std::vector<Parts> a_run, b_run;
    for (size_t k = k0; k < std::min(a.size(), k0 + 32); ++k) a_run.emplace_back(a[k]), b_run.emplace_back(b[k]);
    for (const auto& [p, q] : {std::pair{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}, {0, 0}}) {
      c = AddRun(c, a_run, p, b_run, q);
    }
  }
  return c;
}

std::vector<float> Line(const Tensor& x, bool column, Index i) {
  std::vector<float> line;
  for (Index k = 0; k < (column ? x.rows() : x.cols()); ++k) line.push_back(column ? x.row(k)[i] : x.row(i)[k]);
  return line;
}

// Compares the unit with its scalar definition bit by bit.
void CheckBits(Index m, Index n, Index k, bool a_transposed, bool b_transposed, bool with_init) {
  SCOPED_TRACE(testing::Message() << m << "x" << n << "x" << k << (a_transposed ? " Aᵀ" : " A")
                                  << (b_transposed ? " Bᵀ" : " B") << (with_init ? " + C" : ""));
  const Tensor a = Random(1, 1).NormalTensor(a_transposed ? Shape{k, m} : Shape{m, k}, 1);
  const Tensor b = Random(1, 2).NormalTensor(b_transposed ? Shape{n, k} : Shape{k, n}, 1);
  const Tensor start = Random(1, 3).NormalTensor({m, n}, 1);
  GuardedBuffer c(m * n, 77);
  Gemm(m, n, k, {a.data(), a.cols(), a_transposed}, {b.data(), b.cols(), b_transposed},
       with_init ? Init{start.data(), n} : Init{}, c.data(), n);
  for (Index i = 0; i < m; i += 7) {
    const std::vector<float> row = Line(a, a_transposed, i);
    for (Index j = 0; j < n; ++j) {
      const float expected = TileDot(with_init ? start.row(i)[j] : 0, row, Line(b, !b_transposed, j));
      ASSERT_EQ(c[i * n + j], expected) << "row " << i << ", column " << j;
    }
  }
}

TEST_F(Tiles, HaveTheBitsOfTheirScalarDefinition) {
  for (int variant = 0; variant < 8; ++variant) {
    const bool a_transposed = variant & 1, b_transposed = variant & 2, with_init = variant & 4;
    for (const Index k : {32, 33, 47, 48, 127, 128, 129, 300}) {
      CheckBits(50, 67, k, a_transposed, b_transposed, with_init);
    }
    for (const Index m : {48, 49, 63, 64, 65, 80, 81}) CheckBits(m, 48, 40, a_transposed, b_transposed, with_init);
    for (const Index n : {48, 49, 63, 64, 65, 80, 81}) CheckBits(48, n, 40, a_transposed, b_transposed, with_init);
    CheckBits(48, 600, 140, a_transposed, b_transposed, with_init);  // two chunks of columns
  }
}

// Six sums for a run of 32 products, and what the parts leave out, lose about what 32 multiply-adds lose.
TEST_F(Tiles, AreAsExactAsAFloatProduct) {
  constexpr Index kSide = 64, kDepth = 2048;
  const Tensor a = Random(2, 1).NormalTensor({kSide, kDepth}, 1), b = Random(2, 2).NormalTensor({kSide, kDepth}, 1);
  const auto error = [&](const char* target) {
    UseSimdTarget(target);
    Tensor c({kSide, kSide});
    ProductNT(a, b, {c.data()});
    UseSimdTarget("");
    double squares = 0;
    for (Index i = 0; i < kSide; ++i) {
      for (Index j = 0; j < kSide; ++j) {
        double sum = 0;
        for (Index k = 0; k < kDepth; ++k) sum += static_cast<double>(a.row(i)[k]) * b.row(j)[k];
        squares += std::pow(c.row(i)[j] - sum, 2);
      }
    }
    return std::sqrt(squares);
  };
  EXPECT_LE(error("AMX"), 1.5 * error("AVX3"));
}

TEST_F(Tiles, CarryNaN) {
  constexpr Index kSide = 50;
  for (const uint32_t bits : {0x7FC00000u, 0x7F800001u, 0xFFFFFFFFu, 0x7FFFFFFFu}) {
    for (const bool in_a : {true, false}) {
      Tensor a({kSide, kSide}), b({kSide, kSide}), c({kSide, kSide});
      a.Fill(1), b.Fill(1);
      (in_a ? a : b).row(3)[5] = std::bit_cast<float>(bits);
      ProductNN(a, b, {c.data()});
      EXPECT_TRUE(std::isnan(in_a ? c.row(3)[9] : c.row(9)[5])) << std::hex << bits;
      EXPECT_EQ(c.row(0)[0], kSide);
    }
  }
}

TEST_F(Tiles, MakeNaNOfInfinity) {
  constexpr Index kSide = 50;
  for (const float large : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max(), -3.3962e38f}) {
    Tensor a({kSide, kSide}), b({kSide, kSide}), c({kSide, kSide});
    a.Fill(1), b.Fill(1);
    a.row(3)[5] = large;
    ProductNN(a, b, {c.data()});
    EXPECT_TRUE(std::isnan(c.row(3)[0])) << large;
    EXPECT_EQ(c.row(0)[0], kSide);
  }
}

// Parts below 2⁻¹²⁶ are taken for zeros: a factor is then off by less than 2⁻¹²⁵.
TEST_F(Tiles, LoseOnlyTheSmallestPartsOfSmallNumbers) {
  constexpr Index kSide = 64;
  const Tensor b = Random(3, 2).NormalTensor({kSide, kSide}, 1);
  for (const int exponent : {-100, -110, -120, -127}) {
    Tensor a = Random(3, 1).NormalTensor({kSide, kSide}, 1), c({kSide, kSide});
    for (Real& x : a) x = std::ldexp(x, exponent);
    // The factor 2⁹⁰ lifts the products out of the range that the sums would lose.
    Tensor lifted = b.Clone();
    for (Real& x : lifted) x = std::ldexp(x, 90);
    ProductNN(a, lifted, {c.data()});
    for (Index i = 0; i < kSide; ++i) {
      for (Index j = 0; j < kSide; ++j) {
        double sum = 0, rounding = 0, lost = 0;
        for (Index k = 0; k < kSide; ++k) {
          const double term = static_cast<double>(a.row(i)[k]) * lifted.row(k)[j];
          sum += term;
          rounding += std::abs(term) * std::ldexp(1, -24) * (kSide + 2);
          lost += std::ldexp(std::abs(lifted.row(k)[j]), -125);
        }
        ASSERT_TRUE(std::abs(c.row(i)[j] - sum) <= rounding + lost) << "2^" << exponent << ": " << c.row(i)[j];
      }
    }
  }
}

TEST_F(Tiles, AreATargetOfTheirOwn) {
  EXPECT_EQ(SimdTargets().front(), "AMX");
  EXPECT_EQ(SimdTarget(), "AMX");
  UseSimdTarget(SimdTargets()[1]);
  EXPECT_FALSE(TilesAllowed());
  UseSimdTarget("AMX");
  EXPECT_TRUE(TilesAllowed());
  UseSimdTarget("");
  EXPECT_TRUE(TilesAllowed());
}

TEST(TilesOfADoubleBuild, DoNotExist) {
  if (sizeof(Real) == sizeof(float)) GTEST_SKIP() << "the float build";
  EXPECT_FALSE(HaveTiles());
  ExpectMessage<std::invalid_argument>([] { UseSimdTarget("AMX"); },
                                       "[simd] this CPU or this build has no target 'AMX'");
}

}  // namespace
}  // namespace ampgrad::kernels
