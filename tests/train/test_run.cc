#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/io/safetensors_writer.h"
#include "tensor/kernels/simd/simd_target.h"
#include "tensor/thread_pool.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/methods/method.h"
#include "train/run.h"

/// A run that stops and goes on, and what evaluations decide.
namespace ampgrad::train {
namespace {

const RunRecord kRecord{"ampgrad sft", "{}\n", {{"data", "3 bytes, hash 1"}}};

// The data of Pairs(), whose batches end in an exception from step `end` on, as a process that is killed there.
struct Killed {};
Data EndingAt(Index end) {
  Data data = Pairs().data;
  data.train = [train = data.train, end](Index step) {
    if (step >= end) throw Killed();
    return train(step);
  };
  return data;
}

struct Arm {
  std::string name;
  MethodSettings method;
  TrainOptions options;
};

std::vector<Arm> Arms() {
  std::vector<Arm> arms = {{"full", {}, OptionsOf(12, 1e-2)},
                           {"exact", {.method = "amplitude", .k = 4}, OptionsOf(12, 1e-2)},
                           {"reconstructed", {.method = "amplitude", .k = 4}, OptionsOf(12, 1e-2)}};
  arms[0].options.shards = 2;
  arms[1].options.warmup = 5;
  arms[2].method.start = ct::Start::kReconstructed;
  arms[2].options.optimizer = OptimizerKind::kSgd;
  arms[2].options.schedule = Schedule::kLinear;
  arms.push_back(arms[1]);
  arms[3].name = "freezing";
  arms[3].options.freeze = {{4, "h.0.attn.c_attn.weight"}, {6, "h.1.mlp.c_fc.weight"}};
  return arms;
}

models::Gpt PreparedNano(const MethodSettings& method) {
  models::Gpt model = Nano();
  std::shared_ptr<const ct::Basis> basis;
  if (method.NeedsBasis()) {
    const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), method.rows);
    basis = std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, method.k));
  }
  Prepare(model, method, basis);
  return model;
}

// The lines of a log without the field that depends on time.
std::vector<nlohmann::json> Lines(const std::filesystem::path& file) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(Get(file));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(nlohmann::json::parse(line));
    lines.back().erase("tokens_per_second");
  }
  return lines;
}

struct RunOutcome {
  std::map<std::string, std::string> parameters;
  std::vector<nlohmann::json> log;
  RunResult result;
};

// Trains in `dir` on `data`: the state goes to out.run, the log to log.
RunOutcome TrainIn(const TempDir& dir, const Arm& arm, RunPlan plan, const Data& data, bool resume) {
  models::Gpt model = PreparedNano(arm.method);
  RunDirectory directory(dir.path() / "out.run", kRecord, resume);
  plan.directory = &directory;
  RunLog log(dir.path() / "log", resume);
  const RunResult result = RunTraining(model, data, arm.options, plan, log);
  return {BytesOf(models::Parameters(model)), Lines(dir.path() / "log"), result};
}

void ExpectSame(const RunOutcome& found, const RunOutcome& expected) {
  EXPECT_TRUE(found.parameters == expected.parameters);
  EXPECT_EQ(found.log, expected.log);
  EXPECT_EQ(found.result.steps, expected.result.steps);
  EXPECT_EQ(found.result.best_step, expected.result.best_step);
  EXPECT_EQ(found.result.best_loss, expected.result.best_loss);
}

TEST(Run, GoesOnAsIfItHadNeverStopped) {
  const RunPlan plan{.label = "run", .eval_every = 2, .keep_best = true, .save_every = 3};
  for (const Arm& arm : Arms()) {
    const TempDir unstopped;
    const RunOutcome expected = TrainIn(unstopped, arm, plan, Pairs().data, false);
    ASSERT_EQ(expected.log.size(), 12u);
    for (const Index killed : {3, 5, 7, 11}) {
      SCOPED_TRACE(arm.name + " killed before step " + std::to_string(killed + 1));
      const TempDir dir;
      EXPECT_THROW(TrainIn(dir, arm, plan, EndingAt(killed), false), Killed);
      EXPECT_EQ(Lines(dir.path() / "log").size(), static_cast<size_t>(killed));
      ExpectSame(TrainIn(dir, arm, plan, Pairs().data, true), expected);
    }
  }
}

// The best evaluation lies before the stop, and patience is counted across it.
TEST(Run, GoesOnWithItsBestEvaluation) {
  const RunPlan plan{.label = "run", .eval_every = 1, .keep_best = true, .patience = 5, .save_every = 1};
  Arm arm{"full", {}, OptionsOf(40, 1)};
  arm.options.schedule = Schedule::kConstant;
  const TempDir unstopped;
  const RunOutcome expected = TrainIn(unstopped, arm, plan, Pairs().data, false);
  const Index best = expected.result.best_step;
  ASSERT_EQ(expected.result.steps, best + 5);
  for (const Index killed : {best + 1, best + 3}) {
    const TempDir dir;
    EXPECT_THROW(TrainIn(dir, arm, plan, EndingAt(killed), false), Killed);
    ExpectSame(TrainIn(dir, arm, plan, Pairs().data, true), expected);
  }
}

TEST(Run, GoesOnWithAnotherNumberOfThreads) {
  const RunPlan plan{.label = "run", .save_every = 5};
  const Arm arm = Arms()[0];
  const TempDir unstopped, dir;
  SetNumThreads(1);
  const RunOutcome expected = TrainIn(unstopped, arm, plan, Pairs().data, false);
  EXPECT_THROW(TrainIn(dir, arm, plan, EndingAt(8), false), Killed);
  SetNumThreads(3);
  ExpectSame(TrainIn(dir, arm, plan, Pairs().data, true), expected);
  SetNumThreads(0);
}

// Losses of a run whose rate is so high that it soon gets worse.
RunOutcome Overshooting(RunPlan plan) {
  const TempDir dir;
  Arm arm{"full", {}, OptionsOf(20, 1)};
  arm.options.schedule = Schedule::kConstant;
  plan.label = "run";
  plan.eval_every = 2;
  return TrainIn(dir, arm, plan, Pairs().data, false);
}

// The log alone tells which evaluation was the best, and when there were too many that were no better.
TEST(Run, KeepsTheBestEvaluationAndEndsWhenPatienceIsOut) {
  const RunOutcome all = Overshooting({}), best = Overshooting({.keep_best = true}),
                   ended = Overshooting({.patience = 2});
  ASSERT_EQ(all.log.size(), 20u);
  double least = std::numeric_limits<double>::infinity();
  Index best_step = 0, worse = 0, end = 20;
  for (const nlohmann::json& line : all.log) {
    const Index step = line.at("step");
    EXPECT_EQ(line.contains("validation_loss"), step % 2 == 0) << line;
    EXPECT_FALSE(line.contains("held_out_loss")) << line;
    if (step % 2 != 0) continue;
    const double loss = line.at("validation_loss");
    worse = loss < least ? 0 : worse + 1;
    if (worse == 0) best_step = step;
    least = std::min(least, loss);
    if (worse == 2) end = std::min(end, step);
  }
  ASSERT_GT(best_step, 0);
  ASSERT_LT(best_step, 20);  // else the last would be the best
  ASSERT_LT(end, 20);
  EXPECT_EQ(best.result.best_step, best_step);
  EXPECT_EQ(best.result.best_loss, least);
  EXPECT_EQ(best.result.steps, 20);
  EXPECT_EQ(ended.result.steps, end);
  EXPECT_EQ(ended.log.size(), static_cast<size_t>(end));

  // The parameters of that step are those of a run that is killed after it.
  models::Gpt model = Nano();
  TrainOptions options = OptionsOf(20, 1);
  options.schedule = Schedule::kConstant;
  Trainer trainer(model, options);
  const Data data = Pairs().data;
  while (trainer.step() < best_step) trainer.Step(data.train(trainer.step()));
  EXPECT_TRUE(best.parameters == BytesOf(models::Parameters(model)));
  EXPECT_FALSE(all.parameters == best.parameters);
  EXPECT_EQ(Evaluate(model, data.validation), least);
}

TEST(Run, TakesTheHeldOutLossWhereThereIsNoValidation) {
  const TempDir dir;
  Data data = Pairs().data;
  data.validation.clear();
  const RunOutcome outcome =
      TrainIn(dir, {"full", {}, OptionsOf(3, 1e-3)}, {.label = "run", .eval_every = 2}, data, false);
  EXPECT_FALSE(outcome.log[0].contains("held_out_loss"));
  EXPECT_TRUE(outcome.log[1].contains("held_out_loss"));
  EXPECT_TRUE(outcome.log[2].contains("held_out_loss"));  // the last step
}

TEST(Run, ShowsSamples) {
  const TempDir dir;
  int samples = 0;
  const RunPlan plan{.label = "run", .sample_every = 2, .sample = [&] { return "text " + std::to_string(++samples); }};
  testing::internal::CaptureStderr();
  TrainIn(dir, {"full", {}, OptionsOf(5, 1e-3)}, plan, Pairs().data, false);
  const std::string shown = testing::internal::GetCapturedStderr();
  EXPECT_EQ(samples, 2);
  EXPECT_NE(shown.find("step 2: text 1\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("step 4: text 2\n"), std::string::npos) << shown;
}

/// A state to be refused.
class StoppedState : public testing::Test {
 protected:
  StoppedState() { EXPECT_THROW(TrainIn(dir_, arm_, {.label = "run", .save_every = 2}, EndingAt(4), false), Killed); }
  std::string Refusal(const RunRecord& record, bool resume) {
    return MessageOf(dir_.path(), [&] { RunDirectory(dir_.path() / "out.run", record, resume); });
  }
  std::string RefusalOf(const Arm& arm) {
    return MessageOf(dir_.path(), [&] { TrainIn(dir_, arm, {.label = "run"}, Pairs().data, true); });
  }

  TempDir dir_;
  Arm arm_ = Arms()[0];
};

TEST_F(StoppedState, IsNotOverwrittenByARunThatBegins) {
  EXPECT_EQ(Refusal(kRecord, false),
            "D/out.run: holds the state of a run that did not end; go on with 'ampgrad sft --resume D/out.run', or "
            "remove it");
}

TEST_F(StoppedState, TellsWhichInputHasChanged) {
  RunRecord record = kRecord;
  record.inputs[0].second = "3 bytes, hash 2";
  EXPECT_EQ(Refusal(record, true),
            "data: has changed since the run began: expected 3 bytes, hash 1, found 3 bytes, hash 2");
  record = kRecord;
  record.inputs.push_back({"base", "1 bytes, hash 1"});
  EXPECT_EQ(
      Refusal(record, true),
      "D/out.run/state.safetensors: expected inputs to be a list of 2 files, found {\"data\":\"3 bytes, hash 1\"}");
}

TEST_F(StoppedState, BringsItsInstructionSet) {
  EXPECT_EQ(SimdTarget(), SimdTargets()[0]);
  const TempDir dir;
  UseSimdTarget("scalar");
  EXPECT_THROW(TrainIn(dir, arm_, {.label = "run", .save_every = 2}, EndingAt(4), false), Killed);
  UseSimdTarget("");
  {
    const RunDirectory directory(dir.path() / "out.run", kRecord, true);
    EXPECT_EQ(SimdTarget(), "scalar");
  }
  UseSimdTarget("");
  const std::filesystem::path file = dir.path() / "out.run/state.safetensors";
  std::string bytes = Get(file);
  bytes.replace(bytes.find("scalar"), 6, "vector");
  Put(file, bytes);
  EXPECT_EQ(MessageOf(dir.path(), [&] { RunDirectory(dir.path() / "out.run", kRecord, true); }),
            "D/out.run: expected a CPU with vector, on which the run began, as other instructions round otherwise; "
            "found " +
                SimdTargets()[0]);
}

TEST_F(StoppedState, BelongsToItsParameters) {
  Arm other = Arms()[1];
  EXPECT_EQ(RefusalOf(other),
            "D/out.run/state.safetensors: expected steps to be a list of 8 numbers, found an array of 28");
  other = arm_;
  other.options.optimizer = OptimizerKind::kAdamW;
  other.options.steps = 3;
  EXPECT_EQ(RefusalOf(other), "D/out.run/state.safetensors: expected step to be an integer in 0..3, found 4");
}

TEST_F(StoppedState, NeedsItsLog) {
  Put(dir_.path() / "log", "{}\n");
  const std::string message = RefusalOf(arm_);
  EXPECT_EQ(message.rfind("D/log: expected the log of the run, of at least ", 0), 0u) << message;
  EXPECT_TRUE(message.ends_with(" bytes, found 3")) << message;
  std::filesystem::remove(dir_.path() / "log");
  EXPECT_EQ(RefusalOf(arm_), "D/log: cannot be opened: No such file or directory");
}

TEST_F(StoppedState, HoldsWhatIsComputedOnce) {
  const TempDir dir;
  int computed = 0;
  const auto third = [&] { return ++computed, 1.0 / 3; };
  {
    RunDirectory directory(dir.path() / "out.run", kRecord, false);
    EXPECT_EQ(directory.Once("loss", third), 1.0 / 3);
    EXPECT_EQ(directory.Once("loss", third), 1.0 / 3);
    models::Gpt model = Nano();
    directory.Save(Trainer(model, OptionsOf(3, 1e-3)), {});
  }
  RunDirectory again(dir.path() / "out.run", kRecord, true);
  EXPECT_EQ(again.Once("loss", third), 1.0 / 3);
  EXPECT_EQ(computed, 1);
  EXPECT_EQ(MessageOf(dir.path(), [&] { RunDirectory(dir.path() / "out.run", kRecord, true); }),
            "D/out.run: another process goes on with this run");
}

TEST_F(StoppedState, IsNoOtherFile) {
  const std::filesystem::path file = dir_.path() / "out.run/state.safetensors";
  io::WriteSafetensors(file, {{"a", Tensor({1})}}, {});
  EXPECT_EQ(Refusal(kRecord, true), "D/out.run/state.safetensors: expected the state of a run, found none");
  std::filesystem::remove(file);
  EXPECT_NE(Refusal(kRecord, true).find("D/out.run/state.safetensors: cannot open"), std::string::npos);
}

TEST(RunDirectory, LiesBesideTheOutput) {
  EXPECT_EQ(RunDirectory::For("out"), "out.run");
  EXPECT_EQ(RunDirectory::For("out/"), "out.run");
  EXPECT_EQ(RunDirectory::For("./a/../out/."), "out.run");
  EXPECT_EQ(RunDirectory::For("."), std::filesystem::current_path().string() + ".run");
}

}  // namespace
}  // namespace ampgrad::train
