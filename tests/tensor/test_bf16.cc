#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/bf16.h"

namespace ampgrad {
namespace {

float FloatOf(uint32_t bits) { return std::bit_cast<float>(bits); }

// Every number of 16 bits, against the definition: 8 bits of exponent at a bias of 127, 7 bits of fraction.
TEST(Bf16, WidensEveryNumberExactly) {
  for (uint32_t x = 0; x <= 0xFFFF; ++x) {
    const int exponent = static_cast<int>(x >> 7 & 0xFF), fraction = static_cast<int>(x & 0x7F);
    const double sign = x >> 15 ? -1 : 1;
    const Real wide = Widen(static_cast<Bf16>(x));
    if (exponent == 0xFF) {
      if (fraction != 0) {
        EXPECT_TRUE(std::isnan(wide)) << x;
      } else {
        EXPECT_EQ(wide, sign * std::numeric_limits<Real>::infinity()) << x;
      }
    } else {
      const double expected =
          exponent == 0 ? std::ldexp(fraction, -126 - 7) : std::ldexp(128 + fraction, exponent - 134);
      EXPECT_EQ(wide, sign * expected) << x;
      EXPECT_EQ(std::signbit(wide), sign < 0) << x;
    }
  }
}

TEST(Bf16, RoundTripIsExact) {
  for (uint32_t x = 0; x <= 0xFFFF; ++x) {
    const float wide = FloatOf(x << 16);
    if (!std::isnan(wide)) {
      EXPECT_EQ(ToBf16(wide), x);
    }
  }
}

TEST(Bf16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(ToBf16(FloatOf(0x3F807FFF)), 0x3F80);  // below the middle
  EXPECT_EQ(ToBf16(FloatOf(0x3F808000)), 0x3F80);  // the middle: down to even
  EXPECT_EQ(ToBf16(FloatOf(0x3F808001)), 0x3F81);
  EXPECT_EQ(ToBf16(FloatOf(0x3F818000)), 0x3F82);  // the middle: up to even
  EXPECT_EQ(ToBf16(FloatOf(0xBF818000)), 0xBF82);
  EXPECT_EQ(ToBf16(std::numeric_limits<float>::max()), 0x7F80);  // beyond the largest: infinity
}

TEST(Bf16, KeepsNaN) {
  EXPECT_TRUE(std::isnan(Widen(ToBf16(FloatOf(0x7F800001)))));
  EXPECT_TRUE(std::isnan(Widen(ToBf16(FloatOf(0xFFFFFFFF)))));
}

TEST(Bf16, ATensorWidensAsItsNumbersDo) {
  const std::shared_ptr<Bf16[]> numbers(new Bf16[6]{0x3F80, 0x4000, 0xC040, 0, 0x8000, 0x3F00});
  const Bf16Tensor tensor({2, 3}, std::shared_ptr<const Bf16>(numbers, numbers.get()));
  const Tensor wide = tensor.Widened();
  EXPECT_EQ(wide.shape(), (Shape{2, 3}));
  EXPECT_EQ(std::vector<Real>(wide.begin(), wide.end()), (std::vector<Real>{1, 2, -3, 0, 0, 0.5}));
  EXPECT_EQ(tensor.row(1)[2], 0x3F00);
}

}  // namespace
}  // namespace ampgrad
