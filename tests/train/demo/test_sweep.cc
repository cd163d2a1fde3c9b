#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/demo/sweep.h"

namespace ampgrad::train {
namespace {

constexpr double kBound = sizeof(Real) == sizeof(double) ? 1e-9 : 1e-4;

SweepOptions Sweep() {
  SweepOptions options;
  options.ks = {2, 5, 32};
  options.train.steps = 4;
  options.train.adamw.weight_decay = 0;
  options.full_lrs = {1e-3};
  options.amplitude_lrs = {1e-2};
  return options;
}

/// The rows of one sweep, which several tests look at.
const std::vector<SweepRow>& Rows() {
  static const std::vector<SweepRow> rows = [] {
    models::Gpt model = Nano();
    RunLog log("");
    return RunSweep(model, Pairs().data, Sweep(), log);
  }();
  return rows;
}

/// The cells of each line of a Markdown table, without the spaces around them.
std::vector<std::vector<std::string>> Cells(const std::string& table) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    std::istringstream cells(line.substr(1));
    for (std::string cell; std::getline(cells, cell, '|');) {
      const size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
      rows.back().push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
    }
  }
  return rows;
}

std::string Table(const std::vector<SweepRow>& rows) {
  std::string text = kTableHead;
  for (const SweepRow& row : rows) text += FormatRow(row);
  return text;
}

TEST(RunSweep, CountsWhatIsTrainedByHand) {
  ASSERT_EQ(Rows().size(), 7u);  // full, and three K from both starts
  EXPECT_EQ(kNanoParameters, 35712);
  EXPECT_FALSE(Rows()[0].method.NeedsBasis());
  EXPECT_EQ(Rows()[0].trained, kNanoParameters);
  EXPECT_EQ(Rows()[0].share, 1);
  const std::vector<Index> ks = {2, 5, 32};
  for (size_t i = 0; i < 6; ++i) {
    const SweepRow& row = Rows()[1 + i];
    EXPECT_TRUE(row.method.NeedsBasis());
    EXPECT_EQ(row.method.start, i < 3 ? ct::Start::kReconstructed : ct::Start::kExact);
    EXPECT_EQ(row.method.k, ks[i % 3]);
    EXPECT_EQ(row.trained, kNanoRows * ks[i % 3]);
    EXPECT_DOUBLE_EQ(row.share, static_cast<double>(kNanoRows * ks[i % 3]) / kNanoParameters);
    EXPECT_EQ(row.rate.lr, 1e-2);
  }
  EXPECT_EQ(Rows()[0].rate.lr, 1e-3);
}

TEST(RunSweep, LossesAreWhatTheModelsSay) {
  models::Gpt model = Nano();
  const ChatData pairs = Pairs();
  const double base = Evaluate(model, pairs.data.held_out);
  TrainOptions options;
  options.steps = 4;
  options.lr = 1e-3;
  options.adamw.weight_decay = 0;
  Train(model, pairs.data.train, options, nullptr);
  EXPECT_EQ(Rows()[0].end_loss, Evaluate(model, pairs.data.held_out));
  for (const SweepRow& row : Rows()) {
    EXPECT_EQ(row.base_loss, base);
    for (const double number : {row.start_loss, row.end_loss, row.efficiency, row.from_base_efficiency, row.share,
                                row.rate.lr, row.seconds_per_step}) {
      EXPECT_TRUE(std::isfinite(number)) << row.method.Label();
    }
    EXPECT_GE(row.seconds_per_step, 0);
    const bool lossless = !row.method.NeedsBasis() || row.method.start == ct::Start::kExact;
    if (lossless) {
      EXPECT_EQ(row.start_loss, base) << row.method.Label();  // not nearly: exactly
    } else if (row.method.k == 32) {
      EXPECT_NEAR(row.start_loss, base, kBound);  // K = d spans every row
    } else {
      EXPECT_NE(row.start_loss, base);
    }
  }
  EXPECT_LT(Rows()[0].end_loss, base);
}

TEST(RunSweep, EfficienciesAreTheirFormulas) {
  EXPECT_EQ(Rows()[0].efficiency, 1);
  EXPECT_EQ(Rows()[0].from_base_efficiency, 1);
  const double full_gain = Rows()[0].base_loss - Rows()[0].end_loss;  // full SFT starts from the base itself
  for (const SweepRow& row : Rows()) {
    EXPECT_DOUBLE_EQ(row.efficiency, (row.start_loss - row.end_loss) / full_gain) << row.method.Label();
    EXPECT_DOUBLE_EQ(row.from_base_efficiency, (row.base_loss - row.end_loss) / full_gain) << row.method.Label();
    EXPECT_EQ(row.efficiency == row.from_base_efficiency, row.start_loss == row.base_loss) << row.method.Label();
  }
}

// Rows() take the factored chain. The full method has no chain: its row is the same to the last bit.
TEST(RunSweep, ChainsEndAlike) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.chain = nn::Chain::kExplicit;
  const std::vector<SweepRow> by_dw = RunSweep(model, Pairs().data, options, log);
  ASSERT_EQ(by_dw.size(), Rows().size());
  EXPECT_EQ(by_dw[0].end_loss, Rows()[0].end_loss);
  for (size_t i = 1; i < by_dw.size(); ++i) {
    EXPECT_EQ(by_dw[i].method.chain, nn::Chain::kExplicit);
    EXPECT_EQ(Rows()[i].method.chain, nn::Chain::kFactored);
    EXPECT_NEAR(by_dw[i].start_loss, Rows()[i].start_loss, kBound) << by_dw[i].method.Label();
    EXPECT_NEAR(by_dw[i].end_loss, Rows()[i].end_loss, kBound) << by_dw[i].method.Label();
  }
}

TEST(RunSweep, LeavesTheBaseAlone) {
  models::Gpt model = Nano();
  const auto before = BytesOf(models::Parameters(model));
  RunLog log("");
  SweepOptions options = Sweep();
  options.ks = {2};
  RunSweep(model, Pairs().data, options, log);
  EXPECT_TRUE(BytesOf(models::Parameters(model)) == before);
}

TEST(RunSweep, ChoosesTheRateThatEndsLowest) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.ks = {2};
  options.search_steps = 5;
  options.full_lrs = {1e-20, 1e-3, 1e-9, 1e30};  // the last diverges: it loses, and the search continues
  options.amplitude_lrs = {1e-20, 1e-2, 1e-9, 1e30};
  const std::vector<SweepRow> rows = RunSweep(model, Pairs().data, options, log);
  EXPECT_EQ(rows[0].rate.lr, 1e-3);
  EXPECT_EQ(rows[2].rate.lr, 1e-2);  // exact
}

// Which K the search ran at stands in the log.
TEST(RunSweep, SearchesAtTheMiddleKByValue) {
  for (const auto& [ks, middle] : std::map<std::vector<Index>, Index>{
           {{9, 2, 5}, 5}, {{2, 5, 9}, 5}, {{5, 9, 2}, 5}, {{9, 2}, 9}, {{2, 9}, 9}, {{7, 2, 9, 4}, 7}, {{3}, 3}}) {
    const TempDir dir;
    const std::string file = (dir.path() / "log.jsonl").string();
    models::Gpt model = Nano();
    SweepOptions options = Sweep();
    options.ks = ks;
    options.train.steps = options.search_steps = 1;
    options.amplitude_lrs = {1e-3, 1e-2, 1e-1};
    {
      RunLog log(file);
      RunSweep(model, Pairs().data, options, log);
    }
    std::set<std::string> searched;
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      const std::string run = nlohmann::json::parse(line).at("run");
      if (run.starts_with("search ")) searched.insert(run.substr(7, run.find(" lr ") - 7));
    }
    const std::string k = "K=" + std::to_string(middle);
    EXPECT_EQ(searched, (std::set<std::string>{"exact " + k, "reconstructed " + k}));
  }
}

// The best rate of each grid is its highest.
TEST(RunSweep, FollowsABestRateBeyondItsGrid) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.ks = {2};
  options.search_steps = 5;
  options.full_lrs = {1e-7, 1e-6};
  options.amplitude_lrs = {1e-6, 1e-5};
  for (const SweepRow& row : RunSweep(model, Pairs().data, options, log)) {
    ASSERT_GT(row.rate.tried.size(), 4u) << row.method.Label();
    EXPECT_GT(row.rate.lr, 1e-5) << row.method.Label();
    for (size_t i = 1; i < row.rate.tried.size(); ++i) {
      EXPECT_GT(row.rate.tried[i].lr, row.rate.tried[i - 1].lr);
    }
  }
}

// Of the row that diverged, what was known before its first step still stands; the others are those of a sweep in
// which nothing diverged.
TEST(RunSweep, ARunThatDivergesCostsItsRow) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.full_lrs = {1e30};
  const std::vector<SweepRow> rows = RunSweep(model, Pairs().data, options, log);
  ASSERT_EQ(rows.size(), Rows().size());
  EXPECT_TRUE(rows[0].diverged.starts_with("step 2: the ")) << rows[0].diverged;
  EXPECT_EQ(rows[0].start_loss, Rows()[0].start_loss);
  EXPECT_TRUE(std::isnan(rows[0].end_loss) && std::isnan(rows[0].seconds_per_step));
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].diverged, "");
    EXPECT_EQ(rows[i].end_loss, Rows()[i].end_loss);
    EXPECT_TRUE(std::isnan(rows[i].efficiency)) << "a share of a full SFT that diverged";
  }
  const auto cells = Cells(Table(rows));
  EXPECT_EQ(cells[2][8], "diverged");
  for (const size_t unknown : {9, 10, 11}) EXPECT_EQ(cells[2][unknown], "-");
  const nlohmann::json json = nlohmann::json::parse(TableJson(rows));
  EXPECT_EQ(json[0].at("diverged"), rows[0].diverged);
  EXPECT_TRUE(json[0].at("end_loss").is_null() && json[0].at("efficiency").is_null());
}

TEST(RunSweep, RatesThatAllDivergeCostTheirRows) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.ks = {2};
  options.amplitude_lrs = {1e300, 1e299};
  const std::vector<SweepRow> rows = RunSweep(model, Pairs().data, options, log);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].end_loss, Rows()[0].end_loss);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(rows[i].diverged, "every rate of the search diverged");
    EXPECT_TRUE(std::isnan(rows[i].rate.lr));
    EXPECT_EQ(rows[i].rate.tried.size(), 10u);
    EXPECT_EQ(Cells(Table(rows))[2 + i][3], "-");
  }
}

TEST(RunSweep, TellsEachRowWhenItIsDone) {
  models::Gpt model = Nano();
  RunLog log("");
  std::vector<double> ends;
  RunSweep(model, Pairs().data, Sweep(), log, [&](const std::vector<SweepRow>& rows) {
    EXPECT_EQ(rows.size(), ends.size() + 1);
    ends.push_back(rows.back().end_loss);
    EXPECT_EQ(rows.back().efficiency, Rows()[rows.size() - 1].efficiency);
  });
  ASSERT_EQ(ends.size(), Rows().size());
  for (size_t i = 0; i < ends.size(); ++i) EXPECT_EQ(ends[i], Rows()[i].end_loss);
}

TEST(RunSweep, LogsEveryStepOfEveryRun) {
  const TempDir dir;
  const std::string file = (dir.path() / "log.jsonl").string();
  models::Gpt model = Nano();
  SweepOptions options = Sweep();
  options.ks = {2};
  {
    RunLog log(file);
    RunSweep(model, Pairs().data, options, log);
  }
  std::map<std::string, int> steps;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json json = nlohmann::json::parse(line);
    EXPECT_EQ(json.at("step"), ++steps[json.at("run")]);
    for (const char* key : {"loss", "lr", "grad_norm", "tokens_per_second"}) EXPECT_TRUE(json.at(key).is_number());
  }
  EXPECT_EQ(steps, (std::map<std::string, int>{{"full", 4}, {"exact K=2", 4}, {"reconstructed K=2", 4}}));
}

TEST(TableJson, HoldsTheRows) {
  const nlohmann::json json = nlohmann::json::parse(TableJson(Rows()));
  ASSERT_EQ(json.size(), Rows().size());
  for (size_t i = 0; i < json.size(); ++i) {
    const SweepRow& row = Rows()[i];
    EXPECT_EQ(json[i].at("method"), row.method.method);
    if (row.method.NeedsBasis()) {
      EXPECT_EQ(json[i].at("start"), ct::ToString(row.method.start));
      EXPECT_EQ(json[i].at("k"), row.method.k);
    } else {
      EXPECT_TRUE(json[i].at("start").is_null() && json[i].at("k").is_null());
    }
    EXPECT_EQ(json[i].at("trained"), row.trained);
    const std::vector<std::pair<const char*, double>> numbers = {{"lr", row.rate.lr},
                                                                 {"share", row.share},
                                                                 {"base_loss", row.base_loss},
                                                                 {"start_loss", row.start_loss},
                                                                 {"end_loss", row.end_loss},
                                                                 {"efficiency", row.efficiency},
                                                                 {"from_base_efficiency", row.from_base_efficiency},
                                                                 {"seconds_per_step", row.seconds_per_step}};
    for (const auto& [key, number] : numbers) EXPECT_EQ(json[i].at(key), number) << key;
    EXPECT_EQ(json[i].at("searched"), nlohmann::json::array());
    EXPECT_TRUE(json[i].at("diverged").is_null());
    EXPECT_EQ(json[i].size(), 6 + numbers.size());
  }
}

TEST(FormatRow, HasACellForEachColumn) {
  const auto cells = Cells(Table(Rows()));
  ASSERT_EQ(cells.size(), 2 + Rows().size());
  EXPECT_EQ(cells[0], (std::vector<std::string>{"method", "start", "K", "lr", "trained", "share", "base", "start",
                                                "end", "efficiency", "from base", "s/step"}));
  const auto number = [](const std::string& cell) { return std::stod(cell); };
  for (size_t i = 0; i < Rows().size(); ++i) {
    const SweepRow& row = Rows()[i];
    const std::vector<std::string>& c = cells[2 + i];
    ASSERT_EQ(c.size(), cells[0].size());
    EXPECT_EQ(c[0], row.method.method);
    EXPECT_EQ(c[1], row.method.NeedsBasis() ? ct::ToString(row.method.start) : "-");
    EXPECT_EQ(c[2], row.method.NeedsBasis() ? std::to_string(row.method.k) : "-");
    EXPECT_EQ(number(c[3]), row.rate.lr);
    EXPECT_EQ(number(c[4]), row.trained);
    EXPECT_NEAR(number(c[5]), 100 * row.share, 0.00501);
    EXPECT_NEAR(number(c[6]), row.base_loss, 0.0000501);
    EXPECT_NEAR(number(c[7]), row.start_loss, 0.0000501);
    EXPECT_NEAR(number(c[8]), row.end_loss, 0.0000501);
    EXPECT_NEAR(number(c[9]), 100 * row.efficiency, 0.0501);
    EXPECT_NEAR(number(c[10]), 100 * row.from_base_efficiency, 0.0501);
    EXPECT_NEAR(number(c[11]), row.seconds_per_step, 0.0000501);
    for (const size_t percent : {5, 9, 10}) EXPECT_TRUE(c[percent].ends_with(" %")) << c[percent];
  }
  EXPECT_EQ(cells[2][9], "100.0 %");
  EXPECT_EQ(cells[2][10], "100.0 %");
}

}  // namespace
}  // namespace ampgrad::train
