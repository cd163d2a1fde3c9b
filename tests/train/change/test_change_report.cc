#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/small_models.h"
#include "train/change/change_report.h"
#include "train/report/columns.h"

namespace ampgrad::train {
namespace {

WeightChange Compared(models::LanguageModel& before, models::LanguageModel& after) {
  const models::Tokenizer bytes = models::Tokenizer::Bytes();
  const ct::RowsPolicy policy = ct::RowsPolicy::kAll;
  const auto sources = ct::SelectRows(before.Parts().matrices, before.width(), policy);
  return CompareWeights(before, after, ct::ComputeBasis(sources, 8),
                        {.ks = {2, 8}, .policy = policy, .top = 3, .tokenizer = &bytes});
}

bool Holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(ChangeReport, FitsTheTerminalAndNamesWhatChanged) {
  const auto before = LittleLlama(3), after = LittleLlama(4);
  const std::string text = FormatChange(Compared(*before, *after));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(report::Width(line), report::kColumns) << line;
  EXPECT_TRUE(Holds(text, "what training changed: 16 of 16 matrices")) << text;
  EXPECT_TRUE(Holds(text, "layers.1.mlp.down_proj.weight")) << text;
  EXPECT_TRUE(Holds(text, "K = 8")) << text;
  EXPECT_FALSE(Holds(text, "nan")) << text;
}

TEST(ChangeReport, SaysHowManyMatricesItLeavesOut) {
  const auto before = LittleLlama(3), after = LittleLlama(4);
  const WeightChange change = Compared(*before, *after);
  EXPECT_TRUE(Holds(FormatChange(change, 5), "the 5 of 16 that changed most for their size"));
  EXPECT_FALSE(Holds(FormatChange(change, 16), "that changed most for their size"));
}

TEST(ChangeReport, OfNoChangeIsTwoLines) {
  EXPECT_EQ(FormatChange(Compared(*LittleLlama(3), *LittleLlama(3))),
            "what training changed: 0 of 16 matrices, ‖ΔW‖ = 0.000, 0.00 % of ‖W‖\n"
            "left out by the rows: 0 of 5 matrices and vectors changed, by 0.000, 0.00 % of their norm\n");
}

TEST(ChangeReport, JsonHoldsEveryFigure) {
  const auto before = LittleLlama(3), after = LittleLlama(4);
  const WeightChange change = Compared(*before, *after);
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(ChangeJson(change).dump());
  EXPECT_EQ(json["matrices"].size(), 16u);
  EXPECT_EQ(json["layers"].size(), 3u);
  EXPECT_EQ(json["ks"], nlohmann::ordered_json({2, 8}));
  const nlohmann::ordered_json& matrix = json["matrices"][3];
  EXPECT_EQ(matrix["name"], change.matrices[3].sums.name);
  EXPECT_EQ(matrix["norm"], change.matrices[3].sums.Norm());
  EXPECT_EQ(matrix["shares"][1]["share"], change.matrices[3].shares[1].share);
  EXPECT_EQ(matrix["spectrum"]["singular_values"], change.matrices[3].spectrum.values);
  EXPECT_TRUE(json["matrices"][0]["layer"].is_null());
  EXPECT_TRUE(json["top_tokens"][0]["token"].is_string());
}

// From a model of zeros nothing is relative.
TEST(ChangeReport, RelativeToZeroIsNull) {
  const auto before = LittleLlama(3), after = LittleLlama(4);
  const WeightChange ok = Compared(*before, *after);
  WeightChange change = ok;
  change.matrices[0].sums.weight_squares = 0;
  EXPECT_TRUE(ChangeJson(change)["matrices"][0]["relative"].is_null());
  EXPECT_FALSE(Holds(FormatChange(change), "inf"));
}

}  // namespace
}  // namespace ampgrad::train
