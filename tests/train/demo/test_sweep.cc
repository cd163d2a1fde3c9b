#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/demo/sweep.h"

namespace ampgrad::train {
namespace {

constexpr double kRunsApart = sizeof(Real) == sizeof(double) ? 1e-9 : 1e-4;

SweepOptions Sweep() {
  SweepOptions options;
  options.ks = {2, 5, 32};
  options.train.steps = 4;
  options.train.adamw.weight_decay = 0;
  options.full_lrs = {1e-3};
  options.amplitude_lrs = {1e-2};
  return options;
}

std::vector<SweepRow> RunIt(models::LanguageModel& model, const SweepOptions& options, const OnRow& on_row = nullptr) {
  StudyFile file;
  return RunSweep(model, Pairs().data, options, file, on_row);
}

/// The rows of one sweep, which several tests look at.
const std::vector<SweepRow>& SweptRows() {
  static const std::vector<SweepRow> rows = [] {
    models::Gpt model = Nano();
    return RunIt(model, Sweep());
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
  ASSERT_EQ(SweptRows().size(), 7u);  // full, and three K from both starts
  EXPECT_EQ(kNanoParameters, 35712);
  EXPECT_FALSE(SweptRows()[0].run.arm.method.NeedsBasis());
  EXPECT_EQ(SweptRows()[0].run.trained, kNanoParameters);
  EXPECT_EQ(SweptRows()[0].Share(), 1);
  const std::vector<Index> ks = {2, 5, 32};
  for (size_t i = 0; i < 6; ++i) {
    const SweepRow& row = SweptRows()[1 + i];
    EXPECT_TRUE(row.run.arm.method.NeedsBasis());
    EXPECT_EQ(row.run.arm.method.start, i < 3 ? ct::Start::kReconstructed : ct::Start::kExact);
    EXPECT_EQ(row.run.arm.method.k, ks[i % 3]);
    EXPECT_EQ(row.run.trained, kNanoRows * ks[i % 3]);
    EXPECT_DOUBLE_EQ(row.Share(), static_cast<double>(kNanoRows * ks[i % 3]) / kNanoParameters);
    EXPECT_EQ(row.run.rate.lr, 1e-2);
  }
  EXPECT_EQ(SweptRows()[0].run.rate.lr, 1e-3);
}

TEST(RunSweep, LossesAreWhatTheModelsSay) {
  models::Gpt model = Nano();
  const ChatData pairs = Pairs();
  const double base = Evaluate(model, pairs.data.held_out);
  TrainOptions options;
  options.steps = 4;
  options.lr = 1e-3;
  options.adamw.weight_decay = 0;
  // The batches of seed 1, as a study gives it.
  Train(
      model, [&](Index step) { return pairs.data.train(1'000'000 + step); }, options);
  EXPECT_EQ(SweptRows()[0].run.end_loss, Evaluate(model, pairs.data.held_out));
  for (const SweepRow& row : SweptRows()) {
    EXPECT_EQ(row.run.base_loss, base);
    for (const double number : {row.run.start_loss, row.run.end_loss, row.efficiency, row.from_base_efficiency,
                                row.Share(), row.run.rate.lr, row.run.seconds_per_step}) {
      EXPECT_TRUE(std::isfinite(number)) << row.run.arm.method.Label();
    }
    EXPECT_GE(row.run.seconds_per_step, 0);
    const bool lossless = !row.run.arm.method.NeedsBasis() || row.run.arm.method.start == ct::Start::kExact;
    if (lossless) {
      EXPECT_EQ(row.run.start_loss, base) << row.run.arm.method.Label();  // not nearly: exactly
    } else if (row.run.arm.method.k == 32) {
      EXPECT_NEAR(row.run.start_loss, base, kRunsApart);  // K = d spans every row
    } else {
      EXPECT_NE(row.run.start_loss, base);
    }
  }
  EXPECT_LT(SweptRows()[0].run.end_loss, base);
}

TEST(RunSweep, EfficienciesAreTheirFormulas) {
  EXPECT_EQ(SweptRows()[0].efficiency, 1);
  EXPECT_EQ(SweptRows()[0].from_base_efficiency, 1);
  const double full_gain =
      SweptRows()[0].run.base_loss - SweptRows()[0].run.end_loss;  // full SFT starts from the base itself
  for (const SweepRow& row : SweptRows()) {
    EXPECT_DOUBLE_EQ(row.efficiency, (row.run.start_loss - row.run.end_loss) / full_gain) << row.run.arm.method.Label();
    EXPECT_DOUBLE_EQ(row.from_base_efficiency, (row.run.base_loss - row.run.end_loss) / full_gain)
        << row.run.arm.method.Label();
    EXPECT_EQ(row.efficiency == row.from_base_efficiency, row.run.start_loss == row.run.base_loss)
        << row.run.arm.method.Label();
  }
}

// SweptRows() take the factored chain. The full method has no chain: its row is the same to the last bit.
TEST(RunSweep, ChainsEndAlike) {
  models::Gpt model = Nano();
  SweepOptions options = Sweep();
  options.chain = nn::Chain::kExplicit;
  const std::vector<SweepRow> by_dw = RunIt(model, options);
  ASSERT_EQ(by_dw.size(), SweptRows().size());
  EXPECT_EQ(by_dw[0].run.end_loss, SweptRows()[0].run.end_loss);
  for (size_t i = 1; i < by_dw.size(); ++i) {
    EXPECT_EQ(by_dw[i].run.arm.method.chain, nn::Chain::kExplicit);
    EXPECT_EQ(SweptRows()[i].run.arm.method.chain, nn::Chain::kFactored);
    EXPECT_NEAR(by_dw[i].run.start_loss, SweptRows()[i].run.start_loss, kRunsApart) << by_dw[i].run.arm.method.Label();
    EXPECT_NEAR(by_dw[i].run.end_loss, SweptRows()[i].run.end_loss, kRunsApart) << by_dw[i].run.arm.method.Label();
  }
}

TEST(RunSweep, LeavesTheBaseAlone) {
  models::Gpt model = Nano();
  const auto before = BytesOf(models::Parameters(model));
  SweepOptions options = Sweep();
  options.ks = {2};
  RunIt(model, options);
  EXPECT_TRUE(BytesOf(models::Parameters(model)) == before);
}

TEST(RunSweep, ChoosesTheRateThatEndsLowest) {
  models::Gpt model = Nano();
  SweepOptions options = Sweep();
  options.ks = {2};
  options.search_steps = 5;
  options.full_lrs = {1e-20, 1e-3, 1e-9, 1e30};  // the last diverges: it loses, and the search continues
  options.amplitude_lrs = {1e-20, 1e-2, 1e-9, 1e30};
  const std::vector<SweepRow> rows = RunIt(model, options);
  EXPECT_EQ(rows[0].run.rate.lr, 1e-3);
  EXPECT_EQ(rows[2].run.rate.lr, 1e-2);  // exact
}

TEST(RunSweep, SearchesAtTheMiddleKByValue) {
  for (const auto& [ks, middle] : std::map<std::vector<Index>, Index>{
           {{9, 2, 5}, 5}, {{2, 5, 9}, 5}, {{5, 9, 2}, 5}, {{9, 2}, 9}, {{2, 9}, 9}, {{7, 2, 9, 4}, 7}, {{3}, 3}}) {
    models::Gpt model = Nano();
    SweepOptions options = Sweep();
    options.ks = ks;
    options.train.steps = options.search_steps = 1;
    options.amplitude_lrs = {1e-3, 1e-2, 1e-1};
    StudyFile file;
    RunSweep(model, Pairs().data, options, file);
    for (const char* start : {"exact", "reconstructed"}) {
      for (const Index k : ks) {
        const std::string name = std::string(start) + " K=" + std::to_string(k);
        EXPECT_EQ(file.TriedCount(name) > 0, k == middle) << name;
      }
    }
  }
}

// The best rate of each grid is its highest.
TEST(RunSweep, FollowsABestRateBeyondItsGrid) {
  models::Gpt model = Nano();
  SweepOptions options = Sweep();
  options.ks = {2};
  options.search_steps = 5;
  options.full_lrs = {1e-7, 1e-6};
  options.amplitude_lrs = {1e-6, 1e-5};
  for (const SweepRow& row : RunIt(model, options)) {
    ASSERT_GT(row.run.rate.tried.size(), 4u) << row.run.arm.method.Label();
    EXPECT_GT(row.run.rate.lr, 1e-5) << row.run.arm.method.Label();
    for (size_t i = 1; i < row.run.rate.tried.size(); ++i) {
      EXPECT_GT(row.run.rate.tried[i].lr, row.run.rate.tried[i - 1].lr);
    }
  }
}

// Of the row that diverged, what was known before its first step still stands; the others are those of a sweep in
// which nothing diverged.
TEST(RunSweep, ARunThatDivergesCostsItsRow) {
  models::Gpt model = Nano();
  SweepOptions options = Sweep();
  options.full_lrs = {1e30};
  const std::vector<SweepRow> rows = RunIt(model, options);
  ASSERT_EQ(rows.size(), SweptRows().size());
  // Double overflows later than float: one meets the gradient norm first, the other the held-out loss.
  EXPECT_NE(rows[0].run.diverged.find(" is not finite"), std::string::npos) << rows[0].run.diverged;
  EXPECT_EQ(rows[0].run.start_loss, SweptRows()[0].run.start_loss);
  EXPECT_TRUE(std::isnan(rows[0].run.end_loss) && std::isnan(rows[0].run.seconds_per_step));
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].run.diverged, "");
    EXPECT_EQ(rows[i].run.end_loss, SweptRows()[i].run.end_loss);
    EXPECT_TRUE(std::isnan(rows[i].efficiency)) << "a share of a full SFT that diverged";
  }
  const auto cells = Cells(Table(rows));
  EXPECT_EQ(cells[2][8], "diverged");
  for (const size_t unknown : {9, 10, 11}) EXPECT_EQ(cells[2][unknown], "-");
  const nlohmann::json json = nlohmann::json::parse(TableJson(rows));
  EXPECT_EQ(json[0].at("diverged"), rows[0].run.diverged);
  EXPECT_TRUE(json[0].at("end_loss").is_null() && json[0].at("efficiency").is_null());
}

TEST(RunSweep, RatesThatAllDivergeCostTheirRows) {
  models::Gpt model = Nano();
  SweepOptions options = Sweep();
  options.ks = {2};
  options.amplitude_lrs = {1e300, 1e299};
  const std::vector<SweepRow> rows = RunIt(model, options);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].run.end_loss, SweptRows()[0].run.end_loss);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(rows[i].run.diverged, "every rate of the search diverged");
    EXPECT_TRUE(std::isnan(rows[i].run.rate.lr));
    EXPECT_EQ(rows[i].run.rate.tried.size(), 10u);
    EXPECT_EQ(Cells(Table(rows))[2 + i][3], "-");
  }
}

TEST(RunSweep, TellsEachRowWhenItIsDone) {
  models::Gpt model = Nano();
  std::vector<double> ends;
  RunIt(model, Sweep(), [&](const std::vector<SweepRow>& rows) {
    EXPECT_EQ(rows.size(), ends.size() + 1);
    ends.push_back(rows.back().run.end_loss);
    EXPECT_EQ(rows.back().efficiency, SweptRows()[rows.size() - 1].efficiency);
  });
  ASSERT_EQ(ends.size(), SweptRows().size());
  for (size_t i = 0; i < ends.size(); ++i) EXPECT_EQ(ends[i], SweptRows()[i].run.end_loss);
}

// What a directory holds is not run again, and gives the same rows.
TEST(RunSweep, GoesOnWhereItWasStopped) {
  const TempDir dir;
  models::Gpt model = Nano();
  for (int stop = 1; stop < 7; stop += 2) {
    StudyFile file(dir.path());
    const auto on_row = [&](const std::vector<SweepRow>& rows) {
      if (rows.size() > static_cast<size_t>(stop)) throw std::runtime_error("stopped");
    };
    EXPECT_THROW(RunSweep(model, Pairs().data, Sweep(), file, on_row), std::runtime_error);
  }
  StudyFile file(dir.path());
  const std::vector<SweepRow> rows = RunSweep(model, Pairs().data, Sweep(), file);
  ASSERT_EQ(rows.size(), SweptRows().size());
  EXPECT_EQ(StudyFile(dir.path()).runs().size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].run.end_loss, SweptRows()[i].run.end_loss);
    EXPECT_EQ(rows[i].run.curve.size(), 4u);
    EXPECT_EQ(rows[i].from_base_efficiency, SweptRows()[i].from_base_efficiency);
  }
}

TEST(TableJson, HoldsTheRows) {
  const nlohmann::json json = nlohmann::json::parse(TableJson(SweptRows()));
  ASSERT_EQ(json.size(), SweptRows().size());
  for (size_t i = 0; i < json.size(); ++i) {
    const SweepRow& row = SweptRows()[i];
    EXPECT_EQ(json[i].at("method"), row.run.arm.method.method);
    if (row.run.arm.method.NeedsBasis()) {
      EXPECT_EQ(json[i].at("start"), ct::ToString(row.run.arm.method.start));
      EXPECT_EQ(json[i].at("k"), row.run.arm.method.k);
    } else {
      EXPECT_TRUE(json[i].at("start").is_null() && json[i].at("k").is_null());
    }
    EXPECT_EQ(json[i].at("trained"), row.run.trained);
    const std::vector<std::pair<const char*, double>> numbers = {{"lr", row.run.rate.lr},
                                                                 {"share", row.Share()},
                                                                 {"base_loss", row.run.base_loss},
                                                                 {"start_loss", row.run.start_loss},
                                                                 {"end_loss", row.run.end_loss},
                                                                 {"efficiency", row.efficiency},
                                                                 {"from_base_efficiency", row.from_base_efficiency},
                                                                 {"seconds_per_step", row.run.seconds_per_step}};
    for (const auto& [key, number] : numbers) EXPECT_EQ(json[i].at(key), number) << key;
    EXPECT_EQ(json[i].at("searched"), nlohmann::json::array());
    EXPECT_TRUE(json[i].at("diverged").is_null());
    EXPECT_EQ(json[i].size(), 6 + numbers.size());
  }
}

TEST(FormatRow, HasACellForEachColumn) {
  const auto cells = Cells(Table(SweptRows()));
  ASSERT_EQ(cells.size(), 2 + SweptRows().size());
  EXPECT_EQ(cells[0], (std::vector<std::string>{"method", "start", "K", "lr", "trained", "share", "base", "start",
                                                "end", "efficiency", "from base", "s/step"}));
  const auto number = [](const std::string& cell) { return std::stod(cell); };
  for (size_t i = 0; i < SweptRows().size(); ++i) {
    const SweepRow& row = SweptRows()[i];
    const std::vector<std::string>& c = cells[2 + i];
    ASSERT_EQ(c.size(), cells[0].size());
    EXPECT_EQ(c[0], row.run.arm.method.method);
    EXPECT_EQ(c[1], row.run.arm.method.NeedsBasis() ? ct::ToString(row.run.arm.method.start) : "-");
    EXPECT_EQ(c[2], row.run.arm.method.NeedsBasis() ? std::to_string(row.run.arm.method.k) : "-");
    EXPECT_EQ(number(c[3]), row.run.rate.lr);
    EXPECT_EQ(number(c[4]), row.run.trained);
    EXPECT_NEAR(number(c[5]), 100 * row.Share(), 0.00501);
    EXPECT_NEAR(number(c[6]), row.run.base_loss, 0.0000501);
    EXPECT_NEAR(number(c[7]), row.run.start_loss, 0.0000501);
    EXPECT_NEAR(number(c[8]), row.run.end_loss, 0.0000501);
    EXPECT_NEAR(number(c[9]), 100 * row.efficiency, 0.0501);
    EXPECT_NEAR(number(c[10]), 100 * row.from_base_efficiency, 0.0501);
    EXPECT_NEAR(number(c[11]), row.run.seconds_per_step, 0.0000501);
    for (const size_t percent : {5, 9, 10}) EXPECT_TRUE(c[percent].ends_with(" %")) << c[percent];
  }
  EXPECT_EQ(cells[2][9], "100.0 %");
  EXPECT_EQ(cells[2][10], "100.0 %");
}

}  // namespace
}  // namespace ampgrad::train
