#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tensor/io/text_file.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "train/study/study.h"
#include "train/study/study_bases.h"
#include "train/study/study_setup.h"

namespace ampgrad::train {
namespace {

Batch BatchAt(Index step) {
  const auto seed = static_cast<uint64_t>(2 * step);
  return {6, RandomIds(12, 23, seed + 11), RandomIds(12, 23, seed + 12)};
}

Data SomeData() {
  return {.train = [](Index step) { return BatchAt(step); },
          .validation = {BatchAt(-1)},
          .held_out = {BatchAt(-2), BatchAt(-3)}};
}

StudyOptions Options(models::LanguageModel& model, const std::string& plan) {
  StudyOptions options;
  options.arms = ArmsOf(plan, model, {.steps = 4});
  options.seeds = 2;
  options.train.steps = 4;
  return options;
}

// The lines of a study without what time and memory make of them.
std::set<std::string> LinesOf(const std::filesystem::path& directory) {
  std::set<std::string> lines;
  std::istringstream text(io::ReadTextFile(directory / "runs.jsonl"));
  for (std::string line; std::getline(text, line);) {
    nlohmann::json json = nlohmann::json::parse(line);
    for (const char* key : {"train_time", "seconds_per_step", "memory_max"}) json.erase(key);
    if (json.contains("held_out")) {
      for (nlohmann::json& point : json.at("held_out")) point.erase("seconds");
    }
    EXPECT_TRUE(lines.insert(json.dump()).second) << line;
  }
  return lines;
}

void RunWhole(const std::filesystem::path& directory, const StudyOptions& options) {
  const auto model = TinyGpt(3);
  StudyFile file(directory);
  RunStudy(*model, SomeData(), options, file, [](const std::string&) {});
}

TEST(Study, EveryPlanRunsWithEverySeed) {
  const auto model = TinyGpt(3);
  const StudyOptions options = Options(*model, "all");
  const TempDir directory;
  StudyOptions one = options;
  one.seeds = 1;
  std::erase_if(one.arms, [](const Arm& arm) { return arm.steps > 5; });
  RunWhole(directory.path(), one);
  const StudyFile file(directory.path());
  EXPECT_EQ(file.runs().size(), one.arms.size());
  std::map<std::string, StudyRun> runs;
  for (const StudyRun& run : file.runs()) runs[run.arm.name] = run;
  for (const auto& [name, run] : runs) {
    EXPECT_EQ(run.diverged, "") << name;
    EXPECT_TRUE(std::isfinite(run.end_loss)) << name;
    if (run.arm.IsLevel()) continue;
    EXPECT_EQ(run.curve.size(), static_cast<size_t>(run.arm.steps > 0 ? run.arm.steps : 4)) << name;
    EXPECT_GT(run.trained, 0) << name;
    EXPECT_EQ(run.held_out.back().loss, run.end_loss) << name;
    if (run.arm.kind == ArmKind::kMethod && run.arm.method.start == ct::Start::kExact) {
      EXPECT_NEAR(run.start_loss, run.base_loss, 1e-5) << name;  // every other start is the model itself
    }
  }
  // The change of scores lies inside their basis, and only that.
  EXPECT_NEAR(runs.at("exact K=8").inside.at(8), 1, 1e-4);
  EXPECT_LT(runs.at("full").inside.at(8), 0.999);
  EXPECT_EQ(runs.at("exact K=8").trained, 2 * 192 * 8);
  EXPECT_NE(runs.at("reconstructed K=8").start_loss, runs.at("reconstructed K=8").base_loss);
  EXPECT_EQ(runs.at("full, rate 1e-5").rate.lr, 1e-5);
  // Of all of R^d a gradient keeps everything, of less less.
  EXPECT_LT(file.captures().at(1).at(4), file.captures().at(1).at(8));
  EXPECT_LT(file.captures().at(1).at(8), 1);
}

// Stopped anywhere, in parts, in another order: the lines are those of the study that ran alone.
TEST(Study, GoesOnWhereItWasStoppedAndGathersParts) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "starts");
  const TempDir whole, stopped, parts;
  RunWhole(whole.path(), options);
  const std::set<std::string> expected = LinesOf(whole.path());

  for (int stop = 1; stop < 12; stop += 3) {
    StudyFile file(stopped.path());
    int left = stop;
    EXPECT_THROW(RunStudy(*model, SomeData(), options, file,
                          [&](const std::string&) {
                            if (--left < 0) throw std::runtime_error("stopped");
                          }),
                 std::runtime_error);
    // What a killed process may leave: a part of a line.
    std::ofstream(stopped.path() / "runs.jsonl", std::ios::app) << R"({"line":"run","arm":{"na)";
  }
  RunWhole(stopped.path(), options);
  EXPECT_EQ(LinesOf(stopped.path()), expected);

  options.parts = 3;
  for (const Index part : {2, 0, 1}) {
    options.part = part;
    RunWhole(parts.path(), options);
  }
  EXPECT_EQ(LinesOf(parts.path()), expected);
}

// With frozen layers below, what they compute is shared, and no bit changes.
TEST(Study, SharesWhatFrozenLayersComputeWithoutAnyDifference) {
  const auto model = TinyGpt(3);
  StudyOptions options;
  options.arms = ArmsOf("frontier", *model, {.scope = {false, 1, 1}, .steps = 4});
  for (Arm& arm : options.arms) arm.summary = false;  // whose files are weighed where there is a directory
  options.seeds = 2;
  options.train.steps = 4;
  const TempDir alone, shared;
  RunWhole(alone.path(), options);
  options.directory = shared.path();
  RunWhole(shared.path(), options);
  EXPECT_EQ(LinesOf(shared.path()), LinesOf(alone.path()));
}

TEST(Study, ARunThatDivergesIsALine) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "frontier");
  options.arms = {options.arms.front()};
  options.arms[0].fixed_lr = 1e30;
  options.seeds = 1;
  const TempDir directory;
  RunWhole(directory.path(), options);
  const StudyFile file(directory.path());
  ASSERT_EQ(file.runs().size(), 1u);
  EXPECT_NE(file.runs()[0].diverged, "");
  EXPECT_TRUE(std::isnan(file.runs()[0].train_loss));
}

// Seeds see batches of their own, the same for every arm.
TEST(Study, ASeedDrivesTheBatches) {
  const auto model = TinyGpt(3);
  const TempDir directory;
  RunWhole(directory.path(), Options(*model, "starts"));
  const StudyFile file(directory.path());
  std::map<uint64_t, double> first;
  for (const StudyRun& run : file.runs()) {
    if (run.arm.method.start == ct::Start::kReconstructed || run.arm.kind != ArmKind::kMethod) continue;
    const auto [known, added] = first.emplace(run.seed, run.curve[0]);
    EXPECT_NEAR(known->second, run.curve[0], 1e-5) << run.arm.name;
  }
  EXPECT_NE(first.at(1), first.at(2));
}

// An arm of few samples reads its first batches again and again: 4 samples are two batches of two.
TEST(Study, FewSamplesComeOverAndOver) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "starts");
  const StudySetup setup(*model, SomeData(), options);
  Arm few = options.arms[0];
  few.samples = 4;
  for (Index step = 0; step < 7; ++step) {
    EXPECT_EQ(setup.BatchOf(few, 2, step).inputs, setup.BatchOf(options.arms[0], 2, step % 2).inputs) << step;
    EXPECT_NE(setup.BatchOf(few, 2, step).inputs, setup.BatchOf(few, 1, step).inputs) << step;
  }
}

TEST(Study, MatchesTheNormOfAnotherArm) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "peers");
  std::erase_if(options.arms, [](const Arm& arm) {
    return arm.name != "exact K=8" && arm.name != "lora r=8" && arm.norm_of.empty();
  });
  ASSERT_EQ(options.arms.size(), 4u);
  const TempDir directory;
  options.part = 1;
  options.parts = 2;
  RunWhole(directory.path(), options);  // lora alone, and the arm that follows it
  EXPECT_EQ(StudyFile(directory.path()).runs().size(), 4u);
  options.parts = 1;
  options.part = 0;
  RunWhole(directory.path(), options);
  StudyFile file(directory.path());
  for (const Arm& arm : options.arms) {
    if (arm.norm_of.empty()) continue;
    std::map<std::string, double> rates;
    for (const StudyRun& run : file.runs()) rates[run.arm.name] = run.rate.lr;
    const double norm = file.Norms(arm.name).at(rates.at(arm.name));
    EXPECT_NEAR(norm / file.Norms(arm.norm_of).at(rates.at(arm.norm_of)), 1, 0.021) << arm.name;
  }
}

TEST(Study, FreezesAndTakesTurns) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "freezing");
  options.by_turns = true;
  const TempDir directory;
  RunWhole(directory.path(), options);
  const StudyFile file(directory.path());
  ASSERT_EQ(file.runs().size(), 12u);  // full, exact and four orders
  std::set<std::string> bits;
  for (size_t i = 0; i < 12; ++i) {
    const StudyRun& run = file.runs()[i];
    EXPECT_EQ(run.seed, i < 6 ? 1u : 2u);
    EXPECT_TRUE(bits.insert(run.bits).second) << run.arm.name;
    double last = 0;
    for (const HeldOutPoint& point : run.held_out) {
      EXPECT_GT(point.seconds, last) << run.arm.name;
      last = point.seconds;
    }
  }
  // Until the first quarter of the steps is over nothing is frozen.
  for (const StudyRun& run : file.runs()) {
    if (run.arm.freeze.empty()) continue;
    const auto whole = std::ranges::find_if(
        file.runs(), [&](const StudyRun& other) { return other.arm.name == "exact K=8" && other.seed == run.seed; });
    EXPECT_EQ(run.curve[0], whole->curve[0]) << run.arm.name;
  }
}

// LoRA's overlap is taken at the start and after each quarter; the base's cut scores are a line, once.
TEST(Study, LooksMoreCloselyAtItsSummary) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "peers");
  std::erase_if(options.arms, [](const Arm& arm) { return !arm.summary; });
  options.arms.push_back(options.arms[0]);
  options.arms.back().name = "not asked";
  options.arms.back().summary = false;
  int asked = 0;
  options.answered = [&asked](models::LanguageModel&) { return ++asked / 100.0; };
  const TempDir directory;
  options.directory = directory.path();
  RunWhole(directory.path(), options);
  StudyFile file(directory.path());
  for (const StudyRun& run : file.runs()) {
    EXPECT_EQ(run.answered.has_value(), run.arm.summary) << run.arm.name;
    ASSERT_EQ(run.overlap.size(), run.arm.method.method == "lora" ? 5u : 0u) << run.arm.name;
    for (size_t i = 0; i < run.overlap.size(); ++i) EXPECT_EQ(run.overlap[i].step, static_cast<Index>(i));
  }
  EXPECT_EQ(asked, 6);  // full, exact K=8 and lora r=8, with two seeds each
  ASSERT_EQ(file.files().size(), 1u);
  EXPECT_EQ(file.files()[0].arm, "exact K=8");
  // Stopped between the line of a file and that of its run, a study weighs nothing twice.
  const TempDir stopped;
  std::ofstream(stopped.path() / "runs.jsonl") << R"({"line":"file","arm":"exact K=8","model":9,"scores":4,"basis":2,)"
                                               << R"("frozen":1,"loss":2.5})"
                                               << "\n";
  options.directory = stopped.path();
  RunWhole(stopped.path(), options);
  EXPECT_EQ(StudyFile(stopped.path()).files().size(), 1u);
  EXPECT_TRUE(file.cuts().empty());  // they are taken at the K of a start reconstructed, which is not in this plan
}

TEST(Study, CutsTheScoresOfEachMatrixOnce) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "starts");
  const TempDir directory;
  RunWhole(directory.path(), options);
  options.seeds = 3;
  RunWhole(directory.path(), options);
  const std::string text = io::ReadTextFile(directory.path() / "runs.jsonl");
  EXPECT_EQ(text.find("\"cut scores\""), text.rfind("\"cut scores\""));
  EXPECT_EQ(StudyFile(directory.path()).cuts().size(), 8u);
}

// A layer that is removed adds nothing, whatever its other weights are.
TEST(Study, RemovedLayersAddNothing) {
  const auto model = TinyGpt(3);
  const Arm arm = {.name = "", .groups = {}, .method = {}, .kind = ArmKind::kLayersRemoved};
  PrepareArm(*model, arm, {});
  const double loss = Evaluate(*model, SomeData().held_out);
  for (Index i = 0; i < model->layers(); ++i) {
    for (nn::Matrix* matrix : model->BlockParts(i).matrices) {
      if (matrix->name.ends_with("c_proj.weight")) continue;
      matrix->MakeTrainable();
      matrix->form->Part("weight").value.Fill(Real(0.3));
    }
  }
  EXPECT_EQ(Evaluate(*model, SomeData().held_out), loss);
}

// A study may be read while another process adds to it.
// The first search alone takes the runs; the arm that names it has its rate and the losses by which it was found.
TEST(Study, ARateMayBeThatOfAnotherArm) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "starts");
  options.seeds = 1;
  std::erase_if(options.arms, [](const Arm& arm) { return arm.method.method != "amplitude"; });
  ASSERT_EQ(options.arms.size(), 2u);
  options.arms[0].rate_of = options.arms[1].name;
  options.arms[1].rates = {1e-4, 1e-3, 1e-2};
  options.search_steps = 1;
  const TempDir directory;
  RunWhole(directory.path(), options);
  const StudyFile file(directory.path());
  EXPECT_EQ(file.TriedCount(options.arms[0].name), 0u);
  EXPECT_GE(file.TriedCount(options.arms[1].name), 3u);
  ASSERT_EQ(file.runs().size(), 2u);
  EXPECT_EQ(file.runs()[0].rate.lr, file.runs()[1].rate.lr);
  EXPECT_EQ(file.runs()[0].rate.tried.size(), file.TriedCount(options.arms[1].name));
}

// Two layers of 192 rows each, and a vocabulary of 23, whichever arm asks first.
TEST(Study, TheBasisIsThatOfTheRowsOfTheArms) {
  const auto model = TinyGpt(3);
  EXPECT_EQ(StudyBases(*model, 8, {}, ct::RowsPolicy::kBlocks).Universal()->rows, 2 * 192);
  EXPECT_EQ(StudyBases(*model, 8, {}, ct::RowsPolicy::kAll).Universal()->rows, 2 * 192 + 23);
}

// One rate is no choice: nothing is run to find it.
TEST(Study, ARateAloneIsTaken) {
  const auto model = TinyGpt(3);
  StudyOptions options = Options(*model, "starts");
  options.arms.resize(1);
  options.arms[0].rates = {2e-3};
  const TempDir directory;
  RunWhole(directory.path(), options);
  const StudyFile file(directory.path());
  EXPECT_EQ(file.TriedCount("full"), 0u);
  EXPECT_EQ(file.runs().at(1).rate.lr, 2e-3);
}

}  // namespace
}  // namespace ampgrad::train
