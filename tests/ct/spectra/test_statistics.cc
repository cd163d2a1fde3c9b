#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ct/spectra/statistics.h"
#include "tests/support/expect_message.h"

namespace ampgrad::ct {
namespace {

constexpr double kNormal = std::numeric_limits<double>::infinity();

// One degree of freedom is Cauchy's distribution; two have a closed form; the others stand in printed tables.
TEST(StudentTail, AgreesWithClosedFormsAndTables) {
  for (const double t : {-2.0, -0.3, 0.0, 0.1, 1.0, 5.0, 40.0}) {
    EXPECT_NEAR(StudentTail(t, 1), 0.5 - std::atan(t) / M_PI, 1e-13) << t;
    EXPECT_NEAR(StudentTail(t, 2), 0.5 - t / (2 * std::sqrt(2 + t * t)), 1e-13) << t;
  }
  EXPECT_NEAR(StudentTail(2.228138852, 10), 0.025, 1e-9);
  EXPECT_NEAR(StudentTail(2.364, 100), 0.01, 1e-4);
  EXPECT_NEAR(StudentTail(1.959963985, kNormal), 0.025, 1e-9);
  EXPECT_NEAR(StudentTail(1.959963985, 1e7), 0.025, 1e-7);
}

TEST(StudentPoint, IsTheInverseOfTheTail) {
  for (const double dof : {1.0, 4.0, 30.0, kNormal}) {
    for (const double tail : {0.2, 0.025, 1e-4}) EXPECT_NEAR(StudentTail(StudentPoint(tail, dof), dof), tail, 1e-12);
  }
  EXPECT_NEAR(StudentPoint(0.025, 4), 2.776445105, 1e-8);
}

// Holm: the least p needs 0.05/3, the next 0.05/2, the last 0.05.
TEST(SurviveHolm, StopsAtTheFirstThatFails) {
  EXPECT_EQ(SurviveHolm({0.04, 0.016, 0.024}), (std::vector<bool>{true, true, true}));
  EXPECT_EQ(SurviveHolm({0.04, 0.016, 0.026}), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(SurviveHolm({0.017, 0.017, 0.017}), (std::vector<bool>{false, false, false}));
  EXPECT_EQ(SurviveHolm({NAN, 0.03}), (std::vector<bool>{false, true}));
}

// Every order of five values, counted.
TEST(Kendall, TheExactPIsTheShareOfAllOrders) {
  const std::vector<double> values = {3, 1, 4, 2, 5};
  const auto score = [](const std::vector<double>& x) {
    int sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = i + 1; j < x.size(); ++j) sum += x[j] > x[i] ? 1 : -1;
    }
    return sum;
  };
  const KendallTau tau = KendallWithOrder(values);
  EXPECT_DOUBLE_EQ(tau.tau, score(values) / 10.0);
  std::vector<double> order = {1, 2, 3, 4, 5};
  double as_far = 0, all = 0, beyond_level = 0;
  do {
    as_far += std::abs(score(order)) >= std::abs(score(values));
    beyond_level += std::abs(score(order)) / 10.0 > tau.level;
    ++all;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_NEAR(tau.p, as_far / all, 1e-12);
  EXPECT_LE(beyond_level / all, 0.05);
  EXPECT_GT(beyond_level, 0);
}

TEST(Kendall, KnowsTheOrderAndItsReverse) {
  EXPECT_EQ(KendallWithOrder({1, 2, 3, 4}).tau, 1);
  EXPECT_EQ(KendallWithOrder({4, 3, 2, 1}).tau, -1);
  EXPECT_NEAR(KendallWithOrder({1, 2, 3, 4}).p, 2.0 / 24, 1e-12);
  EXPECT_TRUE(std::isnan(KendallWithOrder({1, 2, 3, 4}).level));  // four values are too few for 0.05
  EXPECT_NEAR(KendallWithOrder({7, 7, 7}).tau, 0, 1e-12);
  EXPECT_TRUE(std::isnan(KendallWithOrder({7}).tau));
  ExpectMessage<std::invalid_argument>(
      [] {
        KendallWithOrder({1, NAN});
      },
      "[kendall] expected finite values, found another");
}

}  // namespace
}  // namespace ampgrad::ct
