#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/gemm/gemm_tiles.h"
#include "tensor/kernels/gemm/tile_packing.h"
#include "tensor/kernels/simd/simd_target.h"
#include "tensor/kernels/simd/tiles.h"
#include "tensor/random.h"
#include "tests/support/expect_message.h"
#include "tests/tensor/kernels/product_case.h"

namespace ampgrad::kernels {
namespace {

#if AMPGRAD_TILES

class Tiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!TilesAllowed()) GTEST_SKIP() << "no tile unit here";
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

// The sum of C and a run of up to 32 products as the tile unit computes it: one chain over the even k, one over the
// odd, both in float with one rounding per step; then their sum; then C. (Intel 64 Software Developer's Manual,
// TDPBF16PS.)
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

// Compares the tile unit with its scalar definition bit by bit.
void CheckBits(Index m, Index n, Index k, bool a_transposed, bool b_transposed, bool with_init) {
  const ProductCase product(m, n, k, a_transposed, b_transposed, with_init);
  SCOPED_TRACE(product.Name());
  const GuardedBuffer c = product.Run();
  for (Index i = 0; i < m; i = i + 7 < m || i == m - 1 ? i + 7 : m - 1) {  // every seventh row, and the last
    const std::vector<float> row = Line(product.a, a_transposed, i);
    for (Index j = 0; j < n; ++j) {
      const float expected = TileDot(with_init ? product.start.row(i)[j] : 0, row, Line(product.b, !b_transposed, j));
      ASSERT_EQ(c[i * n + j], expected) << "row " << i << ", column " << j;
    }
  }
}

TEST_F(Tiles, HaveTheBitsOfTheirScalarDefinition) {
  for (int variant = 0; variant < 8; ++variant) {
    const bool a_transposed = variant & 1, b_transposed = variant & 2, with_init = variant & 4;
    for (const Index k : {96, 97, 127, 128, 255, 256, 257, 400}) {
      CheckBits(50, 67, k, a_transposed, b_transposed, with_init);
    }
    for (const Index m : {48, 49, 63, 64, 65, 80, 81}) CheckBits(m, 48, 104, a_transposed, b_transposed, with_init);
    for (const Index n : {48, 49, 63, 64, 65, 80, 81}) CheckBits(48, n, 104, a_transposed, b_transposed, with_init);
    for (const Index k : {140, 300}) {  // two chunks of columns
      CheckBits(48, 600, k, a_transposed, b_transposed, with_init);
    }
  }
}

// A run of 32 products takes six sums and omits some parts. Its error is about that of 32 multiply-adds.
TEST_F(Tiles, AreAsExactAsAFloatProduct) {
  constexpr Index kSide = 64, kDepth = 2048;
  const Tensor a = Random(2, 1).NormalTensor({kSide, kDepth}, 1), b = Random(2, 2).NormalTensor({kSide, kDepth}, 1);
  const auto error = [&](const std::string& target) {
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
  EXPECT_LE(error(SimdTargets()[0]), 1.5 * error(SimdTargets()[1]));
}

// The result of PackTilesA for one row of 32 numbers.
std::vector<Parts> PackedParts(const std::vector<float>& numbers) {
  Tensor room = Tensor::Uninitialized({TilePanelSize(1, kTileParts) / 2});
  Bf16* tiles = reinterpret_cast<Bf16*>(room.data());
  PackTilesA({numbers.data(), kTileRun}, 1, kTileRun, tiles);
  std::vector<Parts> parts(numbers.size(), Parts(0));
  for (size_t k = 0; k < numbers.size(); ++k) {
    for (int p = 0; p < kTileParts; ++p) parts[k].of[p] = static_cast<float>(Widen(tiles[p * kTilePartStride + k]));
  }
  return parts;
}

TEST_F(Tiles, SplitAFloatExactly) {
  // Zeros, a bfloat16 number, ties, carries into the next power of two, and full mantissas at many exponents.
  std::vector<uint32_t> bits = {0,          0x80000000, 0x3F800000, 0x3F808000, 0x3F818000,
                                0x3F7FFFFF, 0x3FFFFFFF, 0xBF7F8000, 0x3F807FFF, 0x3F808001,
                                0x3F80FF80, 0x3F80FF81, 0x7F7F7FFF, 0xFF7F7FFF, 0x3F800001};
  const Random random(7, 0);
  while (bits.size() < 32 * 500) {
    const auto exponent = static_cast<uint32_t>(30 + bits.size() % 220);
    bits.push_back(exponent << 23 | (static_cast<uint32_t>(random.Bits(bits.size())) & 0x807FFFFF));
  }
  for (size_t i = 0; i < bits.size(); i += 32) {
    std::vector<float> numbers;
    for (size_t k = 0; k < 32; ++k) numbers.push_back(std::bit_cast<float>(bits[i + k]));
    const std::vector<Parts> parts = PackedParts(numbers);
    for (size_t k = 0; k < 32; ++k) {
      const double x = numbers[k], x0 = parts[k].of[0], x1 = parts[k].of[1], x2 = parts[k].of[2];
      ASSERT_EQ(x0 + x1 + x2, x) << std::hex << bits[i + k];
      ASSERT_LE(std::abs(x1), std::ldexp(std::abs(x), -8)) << std::hex << bits[i + k];
      ASSERT_LE(std::abs(x2), std::ldexp(std::abs(x), -17)) << std::hex << bits[i + k];
    }
  }
}

TEST_F(Tiles, CarryNaN) {
  constexpr Index kSide = 97;
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
  constexpr Index kSide = 97;
  for (const float large : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max(), -3.3962e38f}) {
    Tensor a({kSide, kSide}), b({kSide, kSide}), c({kSide, kSide});
    a.Fill(1), b.Fill(1);
    a.row(3)[5] = large;
    ProductNN(a, b, {c.data()});
    EXPECT_TRUE(std::isnan(c.row(3)[0])) << large;
    EXPECT_EQ(c.row(0)[0], kSide);
  }
}

// Parts and sums below 2⁻¹²⁶ count as zero: a factor is then off by less than 2⁻¹²⁵, and each step of a sum by 2⁻¹²⁶.
void CheckSmallNumbers(int exponent_a, int exponent_b) {
  SCOPED_TRACE(testing::Message() << "2^" << exponent_a << " · 2^" << exponent_b);
  constexpr Index kSide = 96;
  Tensor a = Random(3, 1).NormalTensor({kSide, kSide}, 1), b = Random(3, 2).NormalTensor({kSide, kSide}, 1);
  for (Real& x : a) x = std::ldexp(x, exponent_a);
  for (Real& x : b) x = std::ldexp(x, exponent_b);
  Tensor c({kSide, kSide});
  ProductNN(a, b, {c.data()});
  for (Index i = 0; i < kSide; ++i) {
    for (Index j = 0; j < kSide; ++j) {
      double sum = 0, bound = 0;
      for (Index k = 0; k < kSide; ++k) {
        const double x = a.row(i)[k], y = b.row(k)[j];
        sum += x * y;
        bound += std::abs(x * y) * std::ldexp(kSide + 2, -24);                        // roundings
        bound += std::ldexp(std::abs(x) + std::abs(y), -125) + std::ldexp(12, -126);  // lost parts and sums
      }
      ASSERT_LE(std::abs(c.row(i)[j] - sum), bound) << "found " << c.row(i)[j] << ", expected " << sum;
    }
  }
}

TEST_F(Tiles, LoseOnlyTheSmallestPartsOfSmallNumbers) {
  for (const int exponent : {-100, -110, -120, -127}) CheckSmallNumbers(exponent, 90), CheckSmallNumbers(90, exponent);
  for (const int exponent : {-45, -50, -60, -63}) CheckSmallNumbers(exponent, exponent);
}

// A product leaves values in the work space, which must not affect the next product.
TEST_F(Tiles, ReadNothingOfTheProductBefore) {
  Tensor nans({64, 300}), c({64, 64});
  nans.Fill(std::numeric_limits<Real>::quiet_NaN());
  ProductNT(nans, nans, {c.data()});
  for (const Index depth : {97, 300}) CheckBits(49, 49, depth, false, true, true);
}

TEST_F(Tiles, AreATargetOfTheirOwn) {
  EXPECT_EQ(SimdTargets().front(), "amx");
  EXPECT_EQ(SimdTarget(), "amx");
  UseSimdTarget(SimdTargets()[1]);
  EXPECT_FALSE(TilesAllowed());
  UseSimdTarget("amx");
  EXPECT_TRUE(TilesAllowed());
  UseSimdTarget("");
  EXPECT_TRUE(TilesAllowed());
}

#else

TEST(Tiles, DoNotExistInThisBuild) {
  EXPECT_FALSE(HaveTiles());
  ExpectMessage<std::invalid_argument>([] { UseSimdTarget("amx"); },
                                       "[simd] this CPU or this build has no instruction set 'amx'");
}

#endif  // AMPGRAD_TILES

}  // namespace
}  // namespace ampgrad::kernels
