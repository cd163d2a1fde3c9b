#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "models/gpt.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/data/chat_data.h"
#include "train/study/sweep.h"

namespace ampgrad::train {
namespace {

// The nano preset: d = 32, two blocks, 64 positions, 256 tokens. A block holds c_attn 32→96, c_proj 32→32, c_fc 32→128
// and c_proj 128→32, which as rows of width 32 are 96 + 32 + 128 + 128.
constexpr Index kRows = 2 * (96 + 32 + 128 + 128);
constexpr Index kBlock = (32 * 96 + 96) + (32 * 32 + 32) + (32 * 128 + 128) + (128 * 32 + 32) + 2 * (32 + 32);
constexpr Index kNumbers = 256 * 32 + 64 * 32 + 2 * kBlock + (32 + 32);

constexpr double kBound = sizeof(Real) == sizeof(double) ? 1e-9 : 1e-4;

models::Gpt Nano() {
  models::Gpt model(models::PresetConfig("nano"));
  model.Initialise(3);
  return model;
}

ChatData Pairs() {
  Samples samples;
  for (int i = 0; i < 40; ++i) {
    samples.all.push_back(MakeSample("say " + std::to_string(i) + ": ", "it is " + std::to_string(i)));
  }
  return MakeChatData(samples, models::ChatTemplate(), models::Tokenizer::Bytes(), 32, 4, 1, "pairs");
}

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

std::map<std::string, std::string> Bytes(const std::vector<Param*>& params) {
  std::map<std::string, std::string> bytes;
  for (const Param* param : params) {
    bytes[param->name].assign(reinterpret_cast<const char*>(param->value.data()), sizeof(Real) * param->value.size());
  }
  return bytes;
}

std::shared_ptr<const ct::Basis> BasisOf(models::LanguageModel& model, Index k) {
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  return std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, k));
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

TEST(Method, LabelsTellMethodsApart) {
  EXPECT_EQ(MethodSettings{}.Label(), "full");
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 8}).Label(), "exact K=8");
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 64, .start = ct::Start::kReconstructed}).Label(),
            "reconstructed K=64");
}

TEST(Method, RefusesAnUnknownNameAndAMissingBasis) {
  models::Gpt model = Nano();
  ExpectMessage<std::invalid_argument>([&] { Prepare(model, {.method = "lore"}); },
                                       "[method] expected one of full, amplitude, found 'lore'");
  ExpectMessage<std::invalid_argument>([&] { Prepare(model, {.method = "amplitude", .k = 2}); },
                                       "[method] amplitude needs a basis");
  EXPECT_EQ(MethodNames(), (std::vector<std::string>{"full", "amplitude"}));
}

// The default of the commands is the faster chain; the default of MethodSettings is the explicit chain.
TEST(Method, ChainsUnlessSaid) {
  EXPECT_EQ(MethodSettings{}.chain, ct::Chain::kExplicit);
  EXPECT_EQ(SweepOptions().chain, ct::Chain::kFactored);
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 8, .chain = ct::Chain::kFactored}).Label(), "exact K=8");
}

TEST(Prepare, TakesTheChain) {
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    for (const ct::Chain chain : {ct::Chain::kExplicit, ct::Chain::kFactored}) {
      models::Gpt model = Nano();
      Prepare(model, {.method = "amplitude", .k = 3, .start = start, .chain = chain}, BasisOf(model, 5));
      Tape tape;
      BatchLoss(model, tape, Pairs().data.train(0));
      Index reconstructed = 0;
      for (int node = 0; node < tape.size(); ++node) reconstructed += tape.op(node) == std::string("reconstruct");
      EXPECT_EQ(reconstructed, chain == ct::Chain::kExplicit ? 8 : 0);
    }
  }
}

TEST(Prepare, FullTrainsEveryNumber) {
  models::Gpt model = Nano();
  models::SetTrainable(model, false);
  Prepare(model, {});
  EXPECT_EQ(models::CountParameters(models::TrainableParameters(model)), kNumbers);
}

TEST(Prepare, AmplitudeTrainsScoresAlone) {
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    SCOPED_TRACE(ct::ToString(start));
    models::Gpt model = Nano();
    Prepare(model, {.method = "amplitude", .k = 3, .start = start}, BasisOf(model, 5));
    const std::vector<Param*> trainable = models::TrainableParameters(model);
    EXPECT_EQ(trainable.size(), 8u);  // four matrices in each of two blocks
    EXPECT_EQ(models::CountParameters(trainable), 3 * kRows);
    std::vector<Param*> frozen;
    for (Param* param : models::Parameters(model)) {
      EXPECT_EQ(param->trainable, param->name.rfind("scores.", 0) == 0) << param->name;
      if (!param->trainable) frozen.push_back(param);
    }
    const auto frozen_before = Bytes(frozen), scores_before = Bytes(trainable);
    TrainOptions options;
    options.steps = 3;
    options.lr = 1e-2;
    options.adamw.weight_decay = 0.1;  // must not reach what is frozen
    Train(model, Pairs().data.train, options, nullptr);
    EXPECT_EQ(frozen_before.size(),
              2u + 2 * 8 + 2);  // two embeddings, the biases and norms of two blocks, the last norm
    EXPECT_TRUE(Bytes(frozen) == frozen_before);
    for (const auto& [name, bytes] : Bytes(trainable)) EXPECT_FALSE(bytes == scores_before.at(name)) << name;
  }
}

TEST(Prepare, ExactStartIsTheModelBitForBit) {
  models::Gpt base = Nano();
  const auto model = base.Clone();
  Prepare(*model, {.method = "amplitude", .k = 3}, BasisOf(base, 3));
  const Batch batch = Pairs().data.train(0);
  Tape tape(Tape::Mode::kInference);
  const Tensor expected = base.Logits(tape, batch.inputs, batch.length).value;
  const Tensor found = model->Logits(tape, batch.inputs, batch.length).value;
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), sizeof(Real) * expected.size()), 0);
}

TEST(RunSweep, CountsWhatIsTrainedByHand) {
  ASSERT_EQ(Rows().size(), 7u);  // full, and three K from both starts
  EXPECT_EQ(kNumbers, 35712);
  EXPECT_FALSE(Rows()[0].method.NeedsBasis());
  EXPECT_EQ(Rows()[0].trained, kNumbers);
  EXPECT_EQ(Rows()[0].share, 1);
  const std::vector<Index> ks = {2, 5, 32};
  for (size_t i = 0; i < 6; ++i) {
    const SweepRow& row = Rows()[1 + i];
    EXPECT_TRUE(row.method.NeedsBasis());
    EXPECT_EQ(row.method.start, i < 3 ? ct::Start::kReconstructed : ct::Start::kExact);
    EXPECT_EQ(row.method.k, ks[i % 3]);
    EXPECT_EQ(row.trained, kRows * ks[i % 3]);
    EXPECT_DOUBLE_EQ(row.share, static_cast<double>(kRows * ks[i % 3]) / kNumbers);
    EXPECT_EQ(row.lr, 1e-2);
  }
  EXPECT_EQ(Rows()[0].lr, 1e-3);
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
                                row.lr, row.seconds_per_step}) {
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
  options.chain = ct::Chain::kExplicit;
  const std::vector<SweepRow> by_dw = RunSweep(model, Pairs().data, options, log);
  ASSERT_EQ(by_dw.size(), Rows().size());
  EXPECT_EQ(by_dw[0].end_loss, Rows()[0].end_loss);
  for (size_t i = 1; i < by_dw.size(); ++i) {
    EXPECT_EQ(by_dw[i].method.chain, ct::Chain::kExplicit);
    EXPECT_EQ(Rows()[i].method.chain, ct::Chain::kFactored);
    EXPECT_NEAR(by_dw[i].start_loss, Rows()[i].start_loss, kBound) << by_dw[i].method.Label();
    EXPECT_NEAR(by_dw[i].end_loss, Rows()[i].end_loss, kBound) << by_dw[i].method.Label();
  }
}

TEST(RunSweep, LeavesTheBaseAlone) {
  models::Gpt model = Nano();
  const auto before = Bytes(models::Parameters(model));
  RunLog log("");
  SweepOptions options = Sweep();
  options.ks = {2};
  RunSweep(model, Pairs().data, options, log);
  EXPECT_TRUE(Bytes(models::Parameters(model)) == before);
}

TEST(RunSweep, ChoosesTheRateThatEndsLowest) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.ks = {2};
  options.search_steps = 5;
  options.full_lrs = {0, 1e-3, 1e-9, 1e30};  // the last diverges: it loses, and the search continues
  options.amplitude_lrs = {0, 1e-2, 1e-9, 1e30};
  const std::vector<SweepRow> rows = RunSweep(model, Pairs().data, options, log);
  EXPECT_EQ(rows[0].lr, 1e-3);
  EXPECT_EQ(rows[2].lr, 1e-2);  // exact
}

TEST(RunSweep, RefusesRatesThatAllDiverge) {
  models::Gpt model = Nano();
  RunLog log("");
  SweepOptions options = Sweep();
  options.full_lrs = {1e30, 1e29};
  try {
    RunSweep(model, Pairs().data, options, log);
    FAIL() << "accepted";
  } catch (const DivergedError& error) {
    EXPECT_STREQ(error.what(), "the learning-rate search of full diverged at every rate");
  }
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
    const std::vector<std::pair<const char*, double>> numbers = {{"lr", row.lr},
                                                                 {"share", row.share},
                                                                 {"base_loss", row.base_loss},
                                                                 {"start_loss", row.start_loss},
                                                                 {"end_loss", row.end_loss},
                                                                 {"efficiency", row.efficiency},
                                                                 {"from_base_efficiency", row.from_base_efficiency},
                                                                 {"seconds_per_step", row.seconds_per_step}};
    for (const auto& [key, number] : numbers) EXPECT_EQ(json[i].at(key), number) << key;
    EXPECT_EQ(json[i].size(), 4 + numbers.size());
  }
}

TEST(FormatTable, HasARowForEachMethod) {
  const auto cells = Cells(FormatTable(Rows()));
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
    EXPECT_EQ(number(c[3]), row.lr);
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
