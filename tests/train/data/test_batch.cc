#include <gtest/gtest.h>

#include <vector>

#include "train/data/batch.h"

namespace ampgrad::train {
namespace {

TEST(Batch, ShardsAreItsSequencesInOrder) {
  const Batch batch{2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};  // five sequences
  EXPECT_EQ(batch.sequences(), 5);
  const Batch first = batch.Shard(0, 2), second = batch.Shard(1, 2);
  EXPECT_EQ(first.length, 2);
  EXPECT_EQ(first.inputs, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(first.targets, (std::vector<int>{2, 3, 4, 5}));
  EXPECT_EQ(second.inputs, (std::vector<int>{5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(second.targets, (std::vector<int>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(batch.Shard(0, 1).inputs, batch.inputs);
  EXPECT_EQ(batch.Shard(0, 6).tokens(), 0);
  EXPECT_EQ(batch.Shard(5, 6).inputs, (std::vector<int>{9, 10}));
}

TEST(CutEvaluation, CutsBothPartsAndLosesNothing) {
  Data data{nullptr, {{1, {1}, {2}}}, {{1, {3, 4, 5}, {4, 5, 6}}, {2, {7, 8}, {8, 9}}}};
  CutEvaluation(data, 2);
  ASSERT_EQ(data.validation.size(), 1u);
  EXPECT_EQ(data.validation[0].inputs, std::vector<int>{1});
  ASSERT_EQ(data.held_out.size(), 3u);
  EXPECT_EQ(data.held_out[0].inputs, std::vector<int>{3});
  EXPECT_EQ(data.held_out[1].inputs, (std::vector<int>{4, 5}));
  EXPECT_EQ(data.held_out[1].targets, (std::vector<int>{5, 6}));
  EXPECT_EQ(data.held_out[2].inputs, (std::vector<int>{7, 8}));
}

TEST(LimitEvaluation, LeavesOutTheLastBatches) {
  const auto batch = [](Index tokens) {
    return Batch{tokens, std::vector<int>(tokens, 1), std::vector<int>(tokens, 1)};
  };
  const auto kept = [&](Index tokens) {
    Data data{nullptr, {batch(50)}, {batch(10), batch(20), batch(30)}};
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
