#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/support/command_line.h"
#include "tests/support/files.h"
#include "train/report/columns.h"

namespace ampgrad::train {
namespace {

class CommandAnalyze : public CommandLine {
 protected:
  Words Analyze(const Words& more) { return Join({"analyze", "--model", Path("base"), "--k", "2,4"}, more); }
  nlohmann::json Json(const std::string& name) { return nlohmann::json::parse(Get(Path(name))); }
};

TEST_F(CommandAnalyze, ShowsEachFigureBesideChance) {
  const Result result = ExpectRuns(Analyze({"--json", Path("all.json"), "--csv", Path("all.csv")}));
  for (const char* part : {"participation ratio of the weights", "95 % level", "Kendall's τ", "how K scales", "overlap",
                           "survive Holm's correction", "ampl. PR"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part;
  }
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(report::Width(line), 100u) << line;

  const nlohmann::json json = Json("all.json");
  EXPECT_EQ(json.at("width"), 32);
  EXPECT_EQ(json.at("rows"), json.at("by_k").at("2").at("scores").get<int>() / 2);
  EXPECT_EQ(json.at("by_k").size(), 2u);
  EXPECT_EQ(json.at("layers").size(), 2u);
  const nlohmann::json& figure = json.at("by_k").at("4").at("matrices").at("h.0.mlp.c_fc.weight").at("max_corr");
  for (const char* key : {"value", "null", "level", "p"}) EXPECT_TRUE(figure.at(key).is_number()) << key;
  double captured = 0, total = 0;
  for (const auto& value : json.at("eigenvalues")) total += value.get<double>();
  for (int i = 0; i < 4; ++i) captured += json.at("eigenvalues")[i].get<double>();
  EXPECT_NEAR(json.at("by_k").at("4").at("r2").at("value").get<double>(), captured / total, 1e-6);

  const std::string csv = Get(Path("all.csv"));
  EXPECT_TRUE(csv.starts_with("scope,name,layer,k,figure,value,null,level,p,marked\n"));
  EXPECT_NE(csv.find("\nmatrix,h.1.mlp.c_fc.weight,1,4,kurtosis,"), std::string::npos);
  std::istringstream rows(csv);
  for (std::string row; std::getline(rows, row);) EXPECT_EQ(std::count(row.begin(), row.end(), ','), 9) << row;
}

TEST_F(CommandAnalyze, WithoutNullsNothingIsTested) {
  const Result result = ExpectRuns(Analyze({"--no-nulls"}));
  EXPECT_NE(result.out.find("No figure was tested against chance."), std::string::npos);
  EXPECT_EQ(result.out.find('*'), std::string::npos);
}

TEST_F(CommandAnalyze, SaysWhatTrainingChanged) {
  ExpectRuns(Sft("tuned", 2, {"--method", "lora", "--rank", "2", "--save", "both", "--lr", "1e-2"}));
  ExpectRuns(Analyze({"--no-nulls", "--adapter", Path("tuned"), "--json", Path("adapter.json")}));
  ExpectRuns({"merge", "--model", Path("base"), "--adapter", Path("tuned"), "--out", Path("merged")});
  ExpectRuns({"analyze", "--model", Path("merged"), "--against", Path("base"), "--k", "2,4", "--no-nulls", "--json",
              Path("against.json")});
  // Both say the same: the change of rank 2 lies between the same two models.
  const nlohmann::json adapter = Json("adapter.json").at("change"), against = Json("against.json").at("change");
  EXPECT_NEAR(adapter.at("all").at("norm").get<double>() / against.at("all").at("norm").get<double>(), 1, 1e-4);
  EXPECT_FALSE(Json("adapter.json").contains("corpus"));
}

TEST_F(CommandAnalyze, AsksATextForTheScores) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "The " + std::to_string(i * 7919) + " cats of Lund see a dog; why?\n";
  Put(Path("text.txt"), text);
  const Result result = ExpectRuns(Analyze({"--no-nulls", "--text", Path("text.txt"), "--json", Path("text.json")}));
  EXPECT_NE(result.out.find("Can a corpus predict the scores?"), std::string::npos);
  const nlohmann::json corpus = Json("text.json").at("corpus");
  EXPECT_EQ(corpus.at("k"), 2);
  EXPECT_EQ(corpus.at("text").at("tokens"), text.size());
}

TEST_F(CommandAnalyze, RefusesWhatItCannotMeasure) {
  ExpectFails(1, {"analyze", "--model", Path("base"), "--k", "33"},
              "ampgrad analyze: expected K of at most 32, the model's width, found 33");
  ExpectFails(1, Analyze({"--basis", "rotated"}),
              "[spectra] expected a basis whose first vectors are those of a smaller K: universal, bottom, random, "
              "type, matrix or minor, found rotated");
  ExpectFails(1, Analyze({"--text", Path("missing.txt")}), Path("missing.txt"));
  ExpectFails(1, Analyze({"--against", Path("missing")}), Path("missing"));
}

}  // namespace
}  // namespace ampgrad::train
