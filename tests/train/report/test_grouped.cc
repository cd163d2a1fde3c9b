#include <gtest/gtest.h>

#include "train/report/grouped.h"

/// Counts, shares and bytes as people read them.
namespace ampgrad::report {
namespace {

TEST(Grouped, SeparatesThousands) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(16'230'400), "16,230,400");
  EXPECT_EQ(Grouped(-100), "-100");
  EXPECT_EQ(Grouped(-1'234'567), "-1,234,567");
}

TEST(Grouped, SharesAndRatiosHaveFourDigits) {
  EXPECT_EQ(Percent(0.022870), "2.287 %");
  EXPECT_EQ(Percent(1), "100 %");
  EXPECT_EQ(Times(43.7261), "43.73 ×");
  EXPECT_EQ(Times(246'563), "246,563 ×");
}

TEST(Grouped, BytesHaveThreeDigits) {
  EXPECT_EQ(Bytes(96), "96 B");
  EXPECT_EQ(Bytes(16'515'072), "16.5 MB");
  EXPECT_EQ(Bytes(1'843'396'608), "1.84 GB");
  EXPECT_EQ(Bytes(999'600), "1 MB");
  EXPECT_EQ(Bytes(5e15), "5000 TB");
}

}  // namespace
}  // namespace ampgrad::report
