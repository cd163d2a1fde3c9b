#include <gtest/gtest.h>

#include <cmath>

#include "models/rope/rope_divisors.h"

namespace ampgrad::models {
namespace {

RopeConfig Llama3(double factor, double low, double high, Index context, double theta) {
  return {RopeConfig::Type::kLlama3, theta, factor, low, high, context};
}

// Llama-3.1's own numbers, by the formula of llama.cpp's converter: 1 for waves of less than 2048 tokens, 8 for those
// of over 8192.
TEST(RopeDivisors, AreThoseOfLlama3) {
  const Tensor divisors = DivisorsOf(Llama3(8, 1, 4, 8192, 500000), 128);
  ASSERT_EQ(divisors.shape(), (Shape{64}));
  for (Index j = 0; j < 64; ++j) {
    const double length = 2 * M_PI * std::pow(500000, 2.0 * static_cast<double>(j) / 128);
    const double smooth = (8192 / length - 1) / 3;
    const double expected = length < 2048 ? 1 : length > 8192 ? 8 : 1 / ((1 - smooth) / 8 + smooth);
    EXPECT_NEAR(divisors[j], expected, 1e-5 * expected) << j;
  }
}

// What is found need not be what was given, but is the same function of the frequencies.
TEST(RopeDivisors, GiveTheScalingBack) {
  for (const double theta : {10000.0, 500000.0}) {
    for (const Index head_dim : {8, 64, 128}) {
      for (const Index context : {64, 512, 1001, 3000, 8192, 131072}) {
        for (const double high : {2.5, 4.0, 8.0, 32.0}) {
          for (const double low : {1.0, 2.0, 3.0}) {
            if (high <= low) continue;
            const RopeConfig given = Llama3(8, low, high, context, theta);
            const Tensor divisors = DivisorsOf(given, head_dim);
            const bool scales = divisors[divisors.size() - 1] > 1 && divisors[0] == 1;
            const auto found = RopeOfDivisors(divisors, theta);
            ASSERT_EQ(found.has_value(), scales) << head_dim << " " << context << " " << high << " " << low;
            if (!found) continue;
            const Tensor again = DivisorsOf(*found, head_dim);
            for (Index j = 0; j < again.size(); ++j) EXPECT_NEAR(again[j], divisors[j], 1e-5 * divisors[j]);
          }
        }
      }
    }
  }
  EXPECT_EQ(RopeOfDivisors(DivisorsOf(Llama3(8, 1, 4, 8192, 500000), 128), 500000), Llama3(8, 1, 4, 8192, 500000));
}

TEST(RopeDivisors, OfNoLlama3AreNone) {
  EXPECT_FALSE(RopeOfDivisors(Tensor::FromValues({4}, {1, 1, 1, 1}), 10000));
  EXPECT_FALSE(RopeOfDivisors(Tensor::FromValues({4}, {1, 4, 2, 8}), 10000));
  EXPECT_FALSE(RopeOfDivisors(Tensor::FromValues({4}, {8, 8, 8, 8}), 10000));
  EXPECT_FALSE(RopeOfDivisors(Tensor::FromValues({4}, {1, 1, -1, 8}), 10000));
  EXPECT_FALSE(RopeOfDivisors(Tensor::FromValues({4}, {1, 1, NAN, 8}), 10000));
}

}  // namespace
}  // namespace ampgrad::models
