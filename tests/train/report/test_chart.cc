#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/reference/numbers.h"
#include "train/report/chart.h"

namespace ampgrad::report {
namespace {

Axis Over(double low, double high, Axis::Scale scale) {
  Axis axis("", scale);
  axis.Include(low);
  axis.Include(high);
  return axis;
}

TEST(Axis, TicksAtRoundNumbersWithinItsRange) {
  EXPECT_EQ(Over(0, 1, Axis::Scale::kEven).Ticks(5).size(), 6u);
  EXPECT_EQ(Over(3, 104, Axis::Scale::kEven).Ticks(5), (std::vector<double>{20, 40, 60, 80, 100}));
  EXPECT_EQ(Over(0, 2, Axis::Scale::kWhole).Ticks(5), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(Over(3, 70, Axis::Scale::kLog).Ticks(5), (std::vector<double>{5, 10, 20, 50}));
  const std::vector<double> decades = Over(1e-3, 1e6, Axis::Scale::kLog).Ticks(5);
  ASSERT_EQ(decades.size(), 5u);
  for (size_t i = 0; i < decades.size(); ++i)
    EXPECT_NEAR(std::log10(decades[i]), 2.0 * static_cast<double>(i) - 2, 1e-12);
  EXPECT_EQ(Over(11, 19, Axis::Scale::kLog).Ticks(4), (std::vector<double>{12, 14, 16, 18}));  // none is 1, 2 or 5
}

TEST(Axis, GivesZeroNoSign) {
  for (const double tick : Over(0, 4, Axis::Scale::kEven).Ticks(5)) EXPECT_FALSE(std::signbit(tick)) << tick;
  EXPECT_FALSE(std::signbit(Over(-0.5, 4, Axis::Scale::kEven).Ticks(5).front()));
}

TEST(Axis, IgnoresWhatHasNoPlaceOnIt) {
  Axis axis = Over(1, 100, Axis::Scale::kLog);
  for (const double value : std::initializer_list<double>{kNaN, kInfinity, -kInfinity, 0.0, -5.0}) axis.Include(value);
  EXPECT_DOUBLE_EQ(axis.Fraction(10), 0.5);
  EXPECT_EQ(axis.Fraction(0), 0);
  EXPECT_EQ(axis.Fraction(kNaN), 0);
  EXPECT_EQ(axis.Fraction(1e9), 1);
  Axis even = Over(-1, 1, Axis::Scale::kEven);
  for (const double value : std::initializer_list<double>{kNaN, kInfinity, -kInfinity}) even.Include(value);
  EXPECT_DOUBLE_EQ(even.Fraction(0), 0.5);
}

TEST(Axis, HoldsOneValueOrNone) {
  EXPECT_DOUBLE_EQ(Over(7, 7, Axis::Scale::kEven).Fraction(7), 0.5);
  EXPECT_EQ(Over(7, 7, Axis::Scale::kLog).Ticks(5), std::vector<double>{7});
  const Axis empty("", Axis::Scale::kLog);
  EXPECT_TRUE(empty.Ticks(5).empty());
  EXPECT_TRUE(std::isfinite(empty.Fraction(3)));
}

TEST(Chart, LeavesOutPointsThatAreNotFinite) {
  Chart chart(Over(0, 2, Axis::Scale::kEven), Over(0, 2, Axis::Scale::kEven));
  chart.Line("curve", {{0, 0}, {1, kNaN}, {2, 2}, {kInfinity, 1}}, "a line");
  chart.Line("curve", {{kNaN, 0}}, "no line");
  chart.Level("curve", kNaN, "no level");
  chart.Upright("curve", kInfinity, "no upright");
  const std::string svg = chart.Svg("a chart");
  EXPECT_NE(svg.find("points=\"52.0,256.0 468.0,26.0\"><title>a line<"), std::string::npos) << svg;
  for (const char* part : {"nan", "inf", "no line", "no level", "no upright"}) {
    EXPECT_EQ(svg.find(part), std::string::npos) << part;
  }
}

TEST(Chart, CoversItsWidthWithStrips) {
  Chart chart(Over(0, 10, Axis::Scale::kEven), Over(0, 1, Axis::Scale::kEven));
  const std::vector<double> xs = {1, 5};
  for (size_t i = 0; i < xs.size(); ++i) chart.Column(xs, i, "a <b>", "");
  const std::string svg = chart.Svg("");
  EXPECT_NE(svg.find("<title>a &lt;b&gt;</title>"), std::string::npos);
  EXPECT_NE(svg.find("x=\"52.0\" y=\"26.0\" width=\"124.8\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("x=\"176.8\" y=\"26.0\" width=\"291.2\""), std::string::npos) << svg;
}

}  // namespace
}  // namespace ampgrad::report
