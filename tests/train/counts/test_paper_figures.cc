#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "train/counts/paper_figures.h"
#include "train/counts/scaling.h"
#include "train/report/columns.h"

/// The papers' figures. Expected values were checked by hand from the papers and the models' public shapes.
namespace ampgrad::train {
namespace {

const PrintedFigure& Find(const std::vector<FigureGroup>& groups, const std::string& paper,
                          const std::string& printed) {
  for (const FigureGroup& group : groups) {
    for (const PrintedFigure& figure : group.figures) {
      if (figure.paper == paper && figure.printed == printed) return figure;
    }
  }
  throw std::runtime_error(paper + " has no figure " + printed);
}

struct Expected {
  const char *paper, *printed;
  double value, tolerance;
};

void ExpectValues(const std::vector<Expected>& all) {
  const std::vector<FigureGroup> groups = PaperFigures();
  for (const Expected& expected : all) {
    const PrintedFigure& figure = Find(groups, expected.paper, expected.printed);
    ASSERT_TRUE(figure.value.has_value()) << expected.printed;
    EXPECT_NEAR(*figure.value, expected.value, expected.tolerance) << expected.paper << " " << expected.printed;
  }
}

TEST(PaperFigures, SmallModel) {
  ExpectValues({{"S72", "46,398", 46'398, 0},
                {"S72", "16,230,400", 16'230'400, 0},
                {"S72", "371,184 = 2.29 %", 0.022870, 5e-7},
                {"S72", "2,048 = 0.01 %", 0.000126, 5e-7},
                {"S72", "4,352,512 = 26.8 %", 0.268, 5e-4},
                {"S72", "11,504,656 = 70.9 %", 0.709, 5e-4},
                {"S72", "97.5 % and 97.7 %", 0.977, 5e-4},
                {"S72", "40.1 ×", 40.14, 5e-3},
                {"S76", "43 ×", 43.73, 5e-3},
                {"S72", "32 ×", 32, 0},
                {"S72", "~400K", 262'144, 0},
                {"S62", "16,384", 16'384, 0},
                {"S62", "623 ×", 622.6, 0.05},
                {"S62", "14,392", 14'392, 0},
                {"S62", "709 ×", 708.7, 0.05},
                {"S62", "5.2 %", 0.0516, 5e-5}});
}

TEST(PaperFigures, LargeModel) {
  ExpectValues({{"S76", "1.1B", 1'100'048'384, 0},
                {"S76", "156", 156, 0},
                {"S76", "~8K", 8'112, 0},
                {"S76", "21,504", 21'504, 0},
                {"S68", "~4.2 GB", 4.40e9, 5e6},
                {"S76", "1.37M", 1'376'256, 0},
                {"S76", "153.6M", 153'616'384, 0},
                {"S76", "0.9 %", 0.00896, 5e-6},
                {"S76", "1.56 %", 0.015625, 0},
                {"S78", "0.125 %", 0.00125, 5e-6},
                {"S76", "112 ×", 111.6, 0.05},
                {"S78", "56 ×", 55.8, 0.05},
                {"S78", "60 ×", 60.1, 0.05},
                {"S78", "172K = .016 %", 0.00016, 5e-6},
                {"S78", "2.75M = .250 %", 0.0025, 5e-6},
                {"S78", "5.5M = 0.5 %", 0.005, 5e-5},
                {"S78", "1.54M/%", 1.54e6, 5e3},
                {"S78", "25.5K/%", 25.5e3, 60},  // 25,557, cut
                {"S78", "30.2K/%", 30.2e3, 50},
                {"S76", "~16 MB", 16.5e6, 5e4},
                {"S76", "~1.8 GB", 1.84e9, 5e6},
                {"S76", "~112 ×", 6.24 / 4.77, 5e-3},
                {"–", "262K", 262'144, 0}});
}

TEST(PaperFigures, Compression) {
  ExpectValues({{"S68", "27,279,360", 27'279'360, 0},
                {"S68", "2.48 %", 0.024798, 5e-7},
                {"S68", "40.3 ×", 40.325, 5e-4},
                {"S68", "1.03B", 1'034'420'224, 0},
                {"S68", "212 × and ~130 ×", 322.6, 0.05},
                {"S68", "256 ×", 256, 0},
                {"S68", "52 ×", 51.9, 0.05}});
  const std::string remark = Find(PaperFigures(), "S68", "27,279,360").remark;
  for (const char* count : {"30,277,632", "32,325,632", "34,373,632"}) {
    EXPECT_NE(remark.find(count), std::string::npos) << count;
  }
}

TEST(PaperFigures, Scaling) {
  ExpectValues({{"S76", "K ~ 64 at 7B", 50.8, 0.05},
                {"S76", "~35M at 7B", 35e6, 0.5e6},
                {"S76", "~200 × at 7B", 200, 0},
                {"S78", "K_min ~4", 2, 0},
                {"S78", "K_opt 8", 8, 0},
                {"S78", "K_min ~64", 64, 0},
                {"S78", "K_opt ~256", 256, 0}});
}

TEST(PaperFigures, EffectiveParametersAreNamedProductsAndNotMeasured) {
  ExpectValues({{"–", "1,065,154 ×", 1'065'153.6, 0.01},
                {"–", "11.8T", 11.8e12, 0.05e12},
                {"–", "14.2T", 14.2e12, 0.05e12},
                {"–", "0.27 peta", 271e12, 0.5e12}});
  for (const PrintedFigure& figure : EffectiveFigures().figures) {
    EXPECT_EQ(figure.remark.rfind("Not measured", 0), 0u) << figure.printed;
  }
}

TEST(PaperFigures, SharesAndRatiosNameTheirDenominator) {
  for (const FigureGroup& group : PaperFigures()) {
    for (const PrintedFigure& figure : group.figures) {
      EXPECT_EQ(figure.value.has_value(), !figure.formula.empty()) << figure.printed;
      const bool product = group.title.rfind("Effective", 0) == 0;
      if (product || !figure.value || (figure.unit != Unit::kShare && figure.unit != Unit::kTimes)) continue;
      EXPECT_FALSE(figure.denominator.empty()) << figure.printed;
    }
  }
}

TEST(PaperFigures, WhatNoArithmeticReachesSaysWhy) {
  const std::vector<FigureGroup> groups = PaperFigures();
  for (const auto& [paper, printed] : std::vector<std::pair<std::string, std::string>>{
           {"S76", "13.3M and ~60 matrices"}, {"S68", "113 ×"}, {"S76", "~35 % at 7B"}, {"–", "2.7 peta"}}) {
    const PrintedFigure& figure = Find(groups, paper, printed);
    EXPECT_FALSE(figure.value.has_value()) << printed;
    EXPECT_FALSE(figure.remark.empty()) << printed;
  }
}

TEST(PaperFigures, TheTextFitsATerminal) {
  std::istringstream text(FormatPaperFigures());
  for (std::string line; std::getline(text, line);) EXPECT_LE(report::Width(line), report::kColumns) << line;
}

TEST(PaperFigures, JsonHoldsEveryFigure) {
  const nlohmann::ordered_json json = PaperFiguresJson();
  const std::vector<FigureGroup> groups = PaperFigures();
  ASSERT_EQ(json.at("groups").size(), groups.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(json.at("groups")[i].at("figures").size(), groups[i].figures.size()) << groups[i].title;
  }
  EXPECT_EQ(json.at("scaling").size(), ScalingRows(PaperModels()).size());
}

// Rows of S76's and S78's scaling tables. A Llama of 70B has 104,448 rows a layer: 2·8,192 + 2·1,024 + 3·28,672.
TEST(Scaling, RowsOf7bAnd70b) {
  const auto find = [](const std::string& model, Index k) {
    for (const ScalingRow& row : ScalingRows(PaperModels())) {
      if (row.model == model && row.k == k) return row;
    }
    throw std::runtime_error("no row of " + model);
  };
  const ScalingRow seven = find("Llama 7B", 64), seventy = find("Llama 70B", 256);
  EXPECT_EQ(seven.scores_two, 6'324'224);
  EXPECT_NEAR(static_cast<double>(seven.scores_all), 101.2e6, 0.05e6);
  EXPECT_EQ(seven.like_for_like.Value(), 64);
  EXPECT_NEAR(seven.with_head.Value(), 84.7, 0.05);
  EXPECT_EQ(seventy.scores_two, 2 * 104'448 * 256);
  EXPECT_EQ(seventy.scores_all, 80 * 104'448 * 256);
  EXPECT_EQ(seventy.like_for_like.Value(), 32);
  EXPECT_EQ(seventy.trained.of, 68'976'648'192);
  EXPECT_EQ(find("TinyLlama", 32).scores_two, 1'376'256);
}

}  // namespace
}  // namespace ampgrad::train
