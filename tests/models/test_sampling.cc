#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "models/sampling.h"
#include "tensor/random.h"
#include "tests/reference/numbers.h"
#include "tests/support/expect_message.h"

namespace ampgrad::models {
namespace {

using Logits = std::vector<Real>;

int SampleOf(const Logits& logits, const SamplingOptions& options, double uniform) {
  return SampleToken(logits.data(), static_cast<Index>(logits.size()), options, uniform);
}

/// The ids of the draws with `uniform` at the middles of equal steps, and the share of each id.
std::map<int, double> Shares(const Logits& logits, const SamplingOptions& options, int steps = 100000) {
  std::map<int, double> shares;
  for (int i = 0; i < steps; ++i) shares[SampleOf(logits, options, (i + 0.5) / steps)] += 1.0 / steps;
  return shares;
}

/// The logarithms of `probabilities`, moved by a constant, which changes nothing.
Logits LogitsFor(const std::vector<double>& probabilities) {
  Logits logits;
  for (const double p : probabilities) logits.push_back(static_cast<Real>(std::log(p) + 3));
  return logits;
}

void ExpectShares(const std::map<int, double>& shares, const std::map<int, double>& expected) {
  ASSERT_EQ(shares.size(), expected.size());
  for (const auto& [id, share] : expected) {
    ASSERT_TRUE(shares.contains(id)) << id;
    EXPECT_NEAR(shares.at(id), share, 3e-5) << id;
  }
}

// The probabilities of five tokens, in no order.
const std::vector<double> kProbabilities = {0.05, 0.3, 0.1, 0.4, 0.15};

TEST(Sampling, GreedyTakesTheLowestOfTheLikeliest) {
  EXPECT_EQ(SampleOf({1, 3, 2, 3}, {}, 0.99), 1);
  EXPECT_EQ(SampleOf({5, 5, 5}, {}, 0.5), 0);
  EXPECT_EQ(SampleOf({-kInfinity, -7}, {}, 0), 1);
}

TEST(Sampling, DrawsFromTheSoftmax) {
  ExpectShares(Shares(LogitsFor(kProbabilities), {.temperature = 1}),
               {{0, 0.05}, {1, 0.3}, {2, 0.1}, {3, 0.4}, {4, 0.15}});
}

TEST(Sampling, TemperatureRaisesProbabilitiesToAPower) {
  const double total = 0.05 * 0.05 + 0.3 * 0.3 + 0.1 * 0.1 + 0.4 * 0.4 + 0.15 * 0.15;
  std::map<int, double> expected;
  for (int v = 0; v < 5; ++v) expected[v] = kProbabilities[v] * kProbabilities[v] / total;
  ExpectShares(Shares(LogitsFor(kProbabilities), {.temperature = 0.5}), expected);
}

TEST(Sampling, TopKLeavesTheLikeliest) {
  const Logits logits = LogitsFor(kProbabilities);
  ExpectShares(Shares(logits, {.temperature = 1, .top_k = 1}), {{3, 1}});
  ExpectShares(Shares(logits, {.temperature = 1, .top_k = 2}), {{3, 0.4 / 0.7}, {1, 0.3 / 0.7}});
  for (const Index all : {0, 5, 9}) EXPECT_EQ(Shares(logits, {.temperature = 1, .top_k = all}).size(), 5u) << all;
  ExpectShares(Shares({2, 2, 2, 2}, {.temperature = 1, .top_k = 2}), {{0, 0.5}, {1, 0.5}});
}

TEST(Sampling, TopPLeavesTheFewestThatReachIt) {
  const Logits logits = LogitsFor(kProbabilities);
  ExpectShares(Shares(logits, {.temperature = 1, .top_p = 0}), {{3, 1}});
  ExpectShares(Shares(logits, {.temperature = 1, .top_p = 0.39}), {{3, 1}});
  ExpectShares(Shares(logits, {.temperature = 1, .top_p = 0.41}), {{3, 0.4 / 0.7}, {1, 0.3 / 0.7}});
  ExpectShares(Shares(logits, {.temperature = 1, .top_p = 0.71}), {{3, 0.4 / 0.85}, {1, 0.3 / 0.85}, {4, 0.15 / 0.85}});
  EXPECT_EQ(Shares(logits, {.temperature = 1, .top_p = 0.96}).size(), 5u);
  // Two of four equal tokens reach exactly a half.
  ExpectShares(Shares({2, 2, 2, 2}, {.temperature = 1, .top_p = 0.5}), {{0, 0.5}, {1, 0.5}});
}

// Temperature first: it changes which tokens reach p. Then top-k: p applies to the tokens that it leaves.
TEST(Sampling, AppliesTemperatureThenTopKThenTopP) {
  const Logits logits = LogitsFor(kProbabilities);
  EXPECT_EQ(Shares(logits, {.temperature = 0.5, .top_p = 0.55}).size(), 1u);  // 0.16 / 0.285 = 0.561
  EXPECT_EQ(Shares(logits, {.temperature = 1, .top_p = 0.55}).size(), 2u);
  EXPECT_EQ(Shares(logits, {.temperature = 1, .top_k = 2, .top_p = 0.55}).size(), 1u);  // 0.4 / 0.7 = 0.571
  EXPECT_EQ(Shares(logits, {.temperature = 1, .top_k = 2, .top_p = 0.58}).size(), 2u);
}

// Pearson's statistic of random draws from 50 tokens, of which top-k and top-p leave some.
TEST(Sampling, RandomDrawsFollowTheProbabilities) {
  Logits logits;
  for (int v = 0; v < 50; ++v) logits.push_back(static_cast<Real>(2 * Random(3, 0).Normal(v)));
  const SamplingOptions options{.temperature = 1.3, .top_k = 30, .top_p = 0.9};
  std::vector<std::pair<double, int>> order;
  for (int v = 0; v < 50; ++v) order.push_back({std::exp(logits[v] / 1.3), v});
  std::sort(order.rbegin(), order.rend());
  order.resize(30);
  double total = 0, kept = 0;
  for (const auto& [weight, id] : order) total += weight;
  size_t count = 0;
  while (kept < 0.9 * total) kept += order[count++].first;
  ASSERT_GT(count, 5u);
  ASSERT_LT(count, 30u);

  constexpr int kDraws = 20000;
  std::map<int, int> counts;
  for (uint64_t i = 0; i < kDraws; ++i) ++counts[SampleOf(logits, options, Random(11, 5).Uniform(i))];
  EXPECT_EQ(counts.size(), count);
  double statistic = 0;
  for (size_t i = 0; i < count; ++i) {
    const double expected = kDraws * order[i].first / kept;
    statistic += std::pow(counts[order[i].second] - expected, 2) / expected;
  }
  const double freedom = static_cast<double>(count - 1);  // mean of the statistic; its deviation is √(2·freedom)
  EXPECT_LE(statistic, freedom + 5 * std::sqrt(2 * freedom));
}

TEST(Sampling, NeverDrawsWhatIsImpossible) {
  const Logits logits = {-kInfinity, 0, -kInfinity, 1, -kInfinity};
  for (const double top_p : {1.0, 0.999999}) {
    for (const double uniform : {0.0, 0.5, 1 - 1e-16}) {
      const int id = SampleOf(logits, {.temperature = 2, .top_p = top_p}, uniform);
      EXPECT_TRUE(id == 1 || id == 3) << id;
    }
  }
}

TEST(Sampling, TinyTemperaturesAreGreedy) {
  for (const double temperature : {1e-3, 1e-30, 1e-310}) {
    EXPECT_EQ(SampleOf({1, 3, 2}, {.temperature = temperature}, 0.999), 1) << temperature;
  }
}

TEST(Sampling, RefusesLogitsThatAreNoNumbers) {
  for (const double temperature : {0.0, 1.0}) {
    const SamplingOptions options{.temperature = temperature};
    ExpectMessage<std::runtime_error>(
        [&] {
          SampleOf({1, std::numeric_limits<Real>::quiet_NaN()}, options, 0);
        },
        "[sample] expected logits below infinity, found nan for token 1");
    ExpectMessage<std::runtime_error>(
        [&] {
          SampleOf({kInfinity, 1}, options, 0);
        },
        "[sample] expected logits below infinity, found inf for token 0");
    ExpectMessage<std::runtime_error>(
        [&] {
          SampleOf({-kInfinity, -kInfinity}, options, 0);
        },
        "[sample] expected a logit above -infinity, found none");
  }
}

}  // namespace
}  // namespace ampgrad::models
