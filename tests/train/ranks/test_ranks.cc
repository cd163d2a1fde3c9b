#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/train/ranks/threads.h"
#include "train/ranks/ranks.h"

/// What ranks share, and what must be the same on them.
namespace ampgrad::train {
namespace {

TEST(Ranks, ShareThingsWithoutGapsOrOverlap) {
  for (const int size : {1, 2, 3, 5}) {
    for (const int64_t count : {0, 1, 4, 7}) {
      std::vector<int> owners(count);
      std::mutex mutex;
      ThreadRanks::Run(size, [&](Ranks& ranks) {
        const Share share = ShareOf(ranks, count);
        const std::lock_guard<std::mutex> lock(mutex);
        for (int64_t i = share.begin; i < share.end; ++i) ++owners[i];
      });
      EXPECT_EQ(owners, std::vector<int>(count, 1)) << size << " ranks";
    }
  }
}

// What each of three ranks says when the last one's facts are `facts`.
std::vector<std::string> Complaints(const Facts& facts) {
  std::vector<std::string> complaints(3);
  ThreadRanks::Run(3, [&](Ranks& ranks) {
    try {
      RequireSame(ranks, ranks.rank() == 2 ? facts : Facts{{"--lr", "0.1"}, {"--seed", "1"}});
    } catch (const std::runtime_error& error) {
      complaints[ranks.rank()] = error.what();
    }
  });
  return complaints;
}

TEST(Ranks, AllNameTheOneThatDiffers) {
  EXPECT_EQ(Complaints({{"--lr", "0.1"}, {"--seed", "1"}}), std::vector<std::string>(3));
  EXPECT_EQ(Complaints({{"--lr", "0.1"}, {"--seed", "2"}}),
            std::vector<std::string>(3, "rank 2: expected --seed of rank 0, 1, found 2"));
  EXPECT_EQ(Complaints({{"--seed", "1"}}),
            std::vector<std::string>(3, "rank 2: expected --lr of rank 0, 0.1, found none"));
  EXPECT_EQ(Complaints({{"--lr", "0.1"}, {"--seed", "1"}, {"--k", "8"}}),
            std::vector<std::string>(3, "rank 2: expected --k of rank 0, none, found 8"));
}

TEST(Ranks, OneProcessAgreesWithItself) {
  RequireSame(Alone(), {{"--lr", "0.1"}});
  EXPECT_EQ(Alone().Gather("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(Alone().Fail(), Ranks::Failure::kShared);
}

}  // namespace
}  // namespace ampgrad::train
