#include <gtest/gtest.h>

#include <vector>

#include "train/data/batch.h"

namespace ampgrad::train {
namespace {

TEST(LimitEvaluation, LeavesOutTheLastBatches) {
  const auto batch = [](Index tokens) {
    return Batch{tokens, std::vector<int>(tokens, 1), std::vector<int>(tokens, 1)};
  };
  const auto kept = [&](Index tokens) {
    Data data{nullptr, 0, {batch(50)}, {batch(10), batch(20), batch(30)}};
    LimitEvaluation(data, tokens);
    EXPECT_EQ(data.validation.size(), 1u);
    return data.held_out.size();
  };
  EXPECT_EQ(kept(1), 1u);  // something must be left to judge by
  EXPECT_EQ(kept(29), 1u);
  EXPECT_EQ(kept(30), 2u);
  EXPECT_EQ(kept(59), 2u);
  EXPECT_EQ(kept(60), 3u);
  EXPECT_EQ(kept(1000), 3u);
  Data empty;
  LimitEvaluation(empty, 10);
  EXPECT_TRUE(empty.held_out.empty());
}

}  // namespace
}  // namespace ampgrad::train
