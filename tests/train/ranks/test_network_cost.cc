#include <gtest/gtest.h>

#include <stdexcept>

#include "train/ranks/network_cost.h"

/// What a sum over a network takes, against its closed forms.
namespace ampgrad::train {
namespace {

constexpr double kData = 1448.0 / 1538;  // of an Ethernet frame of 1,500 bytes over TCP with time stamps

TEST(NetworkCost, OneRankSendsNothing) { EXPECT_EQ(SumSeconds({1e9, 1e-3}, 1, 1e6), 0); }

// Two ranks exchange halves, twice.
TEST(NetworkCost, TwoRanksSendAsMuchAsTheyHave) {
  EXPECT_NEAR(SumSeconds({1e9, 0}, 2, 1e6), 8e6 / (kData * 1e9), 1e-12);
  EXPECT_NEAR(SumSeconds({1e9, 1e-3}, 2, 1e6) - SumSeconds({1e9, 0}, 2, 1e6), 6e-3, 1e-12);
}

TEST(NetworkCost, ManyRanksSendAlmostTwiceAsMuch) {
  EXPECT_NEAR(SumSeconds({1e8, 0}, 8, 1e6), 2 * 7.0 / 8 * 8e6 / (kData * 1e8), 1e-12);
  EXPECT_NEAR(SumSeconds({1e8, 1}, 8, 1) - SumSeconds({1e8, 0}, 8, 1), 2 * 3 * 3, 1e-9);
  EXPECT_NEAR(SumSeconds({1e8, 1}, 5, 1) - SumSeconds({1e8, 0}, 5, 1), 2 * 3 * 3, 1e-9);
}

// Each part of 32 MB has messages of its own.
TEST(NetworkCost, LongSumsWaitOnceForEachPart) {
  const double bytes = 3.5 * (1 << 25);
  EXPECT_NEAR(SumSeconds({1e9, 1e-3}, 2, bytes) - SumSeconds({1e9, 0}, 2, bytes), 4 * 6e-3, 1e-12);
}

TEST(NetworkCost, RatesHaveNames) {
  EXPECT_EQ(BitsPerSecond("100mbit"), 1e8);
  EXPECT_EQ(BitsPerSecond("1gbit"), 1e9);
  EXPECT_EQ(BitsPerSecond("10gbit"), 1e10);
  try {
    BitsPerSecond("3gbit");
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[network] expected 100mbit, 1gbit or 10gbit, found '3gbit'");
  }
}

}  // namespace
}  // namespace ampgrad::train
