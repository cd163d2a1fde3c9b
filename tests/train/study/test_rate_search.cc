#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "train/study/rate_search.h"

namespace ampgrad::train {
namespace {

constexpr double kDiverged = std::numeric_limits<double>::infinity();

// A loss with its lowest point at `best`, on a logarithmic scale.
auto ValleyAt(double best) {
  return [best](double lr) { return std::abs(std::log(lr / best)); };
}

std::vector<double> RatesOf(const RateSearch& search) {
  std::vector<double> rates;
  for (const TriedRate& tried : search.tried) rates.push_back(tried.lr);
  return rates;
}

TEST(SearchRate, TakesTheOnlyRateWithoutARun) {
  const RateSearch search = SearchRate({0.5}, [](double) -> double {
    ADD_FAILURE() << "a run";
    return 0;
  });
  EXPECT_EQ(search.lr, 0.5);
  EXPECT_TRUE(search.tried.empty());
  EXPECT_FALSE(search.at_edge);
}

TEST(SearchRate, TriesEachRateOnceFromLowToHigh) {
  std::multiset<double> runs;
  const RateSearch search = SearchRate({1e-2, 1e-4, 1e-3}, [&](double lr) {
    runs.insert(lr);
    return ValleyAt(1e-3)(lr);
  });
  EXPECT_EQ(search.lr, 1e-3);
  EXPECT_EQ(RatesOf(search), (std::vector<double>{1e-4, 1e-3, 1e-2}));
  EXPECT_EQ(runs, (std::multiset<double>{1e-4, 1e-3, 1e-2}));
}

// Until the best rate has a worse one on both sides.
TEST(SearchRate, FollowsTheBestRateBeyondTheGrid) {
  const RateSearch above = SearchRate({1e-4, 3e-4, 1e-3}, ValleyAt(1e-2));
  EXPECT_EQ(above.lr, 1e-2);
  EXPECT_EQ(RatesOf(above), (std::vector<double>{1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2}));
  const RateSearch below = SearchRate({1e-3, 3e-3, 1e-2}, ValleyAt(3e-5));
  EXPECT_EQ(below.lr, 3e-5);
  EXPECT_EQ(RatesOf(below), (std::vector<double>{1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2}));
  EXPECT_FALSE(above.at_edge || below.at_edge);
}

TEST(SearchRate, GoesOnFromRatesBetweenTheSteps) {
  EXPECT_EQ(RatesOf(SearchRate({2e-4, 5e-4}, ValleyAt(1e-3))), (std::vector<double>{2e-4, 5e-4, 1e-3, 3e-3}));
  EXPECT_EQ(RatesOf(SearchRate({2e-4, 5e-4}, ValleyAt(1e-4))), (std::vector<double>{3e-5, 1e-4, 2e-4, 5e-4}));
  EXPECT_EQ(RatesOf(SearchRate({2, 5, 20}, ValleyAt(30))), (std::vector<double>{2, 5, 20, 30, 100}));
}

TEST(SearchRate, ARunThatDivergesIsWorseThanAnyOther) {
  const auto loss = [](double lr) { return lr > 3e-3 ? kDiverged : ValleyAt(1)(lr); };
  const RateSearch search = SearchRate({1e-3, 3e-3}, loss);
  EXPECT_EQ(search.lr, 3e-3);
  EXPECT_EQ(RatesOf(search), (std::vector<double>{1e-3, 3e-3, 1e-2}));
  EXPECT_EQ(SearchRate({1e-1, 1}, loss).lr, 3e-3) << "found below a grid that diverged as a whole";
}

TEST(SearchRate, EndsAfterEightRatesBeyondTheGrid) {
  const RateSearch falling = SearchRate({1e-3, 1e-2}, [](double lr) { return lr; });
  EXPECT_EQ(falling.tried.size(), 10u);
  EXPECT_EQ(falling.lr, 1e-7);
  EXPECT_TRUE(falling.at_edge);
  const RateSearch diverged = SearchRate({1e-3, 1e-2}, [](double) { return kDiverged; });
  EXPECT_EQ(diverged.tried.size(), 10u);
  EXPECT_TRUE(std::isnan(diverged.lr));
  EXPECT_FALSE(diverged.at_edge);
}

TEST(SearchRate, ARateThatIsNoBetterEndsTheSearch) {
  EXPECT_EQ(RatesOf(SearchRate({1e-3, 1e-2}, [](double) { return 1.0; })), (std::vector<double>{3e-4, 1e-3, 1e-2}));
}

TEST(SearchRate, IsDescribedInALine) {
  EXPECT_EQ(Describe({{1e-3, 2.53104}, {0.03, 12}, {0.1, kDiverged}}), "0.001: 2.5310, 0.03: 12.0000, 0.1: diverged");
}

// ‖ΔW‖ grows as a power of the rate.
TEST(MatchRate, FindsTheRateOfANorm) {
  for (const double power : {0.5, 1.0, 1.7}) {
    int tries = 0;
    const RateSearch found = MatchRate(1e-3, 2, [&](double lr) {
      ++tries;
      return 40 * std::pow(lr, power);
    });
    EXPECT_NEAR(40 * std::pow(found.lr, power), 2, 0.041) << power;
    EXPECT_FALSE(found.at_edge);
    EXPECT_TRUE(found.tried.empty());
    EXPECT_LE(tries, 4) << power;
  }
}

TEST(MatchRate, SaysWhereItIsNotReached) {
  const RateSearch bounded = MatchRate(1e-3, 2, [](double lr) { return lr / (1 + lr); });
  EXPECT_TRUE(bounded.at_edge);
  const RateSearch diverges = MatchRate(1, 2, [](double lr) { return lr > 0.5 ? INFINITY : 20 * lr; });
  EXPECT_FALSE(diverges.at_edge);
  EXPECT_NEAR(diverges.lr, 0.1, 0.002);
}

}  // namespace
}  // namespace ampgrad::train
