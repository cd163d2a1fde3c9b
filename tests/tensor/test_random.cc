#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "tensor/random.h"

namespace ampgrad {
namespace {

using Counter = std::array<uint32_t, 4>;

// The known answers of the Random123 distribution for philox4x32-10.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, HasTheMomentsOfItsDistributions) {
  const Random random(3, 4);
  constexpr int kDraws = 100000;
  double uniform = 0, normal = 0, squares = 0;
  for (int n = 0; n < kDraws; ++n) {
    const double u = random.Uniform(n), z = random.Normal(n);
    ASSERT_TRUE(u >= 0 && u < 1);
    uniform += u;
    normal += z;
    squares += z * z;
  }
  // Five standard errors of the means.
  EXPECT_NEAR(uniform / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(normal / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
}

TEST(Random, StreamsAndSeedsDiffer) {
  EXPECT_NE(Random(1, 1).Bits(0), Random(1, 2).Bits(0));
  EXPECT_NE(Random(1, 1).Bits(0), Random(2, 1).Bits(0));
  EXPECT_EQ(Random(1, 1).Bits(5), Random(1, 1).Bits(5));
}

TEST(Random, BelowStaysBelowAndReachesAll) {
  std::array<int, 7> count{};
  for (int n = 0; n < 7000; ++n) ++count[Random(1, 1).Below(n, 7)];
  for (const int c : count) EXPECT_NEAR(c, 1000, 5 * std::sqrt(1000));
  EXPECT_EQ(Random(1, 1).Below(0, 1), 0);
}

TEST(Random, PermutationHoldsEveryNumberOnce) {
  std::vector<Index> order = Random(9, 9).Permutation(500);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (Index i = 0; i < 500; ++i) EXPECT_EQ(order[i], i);
  EXPECT_TRUE(Random(9, 9).Permutation(0).empty());
}

}  // namespace
}  // namespace ampgrad
