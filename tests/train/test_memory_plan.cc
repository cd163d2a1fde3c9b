#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include "models/gpt.h"
#include "tensor/allocator.h"
#include "tensor/thread_pool.h"
#include "tests/support/small_models.h"
#include "train/demo/sweep.h"
#include "train/machine_memory.h"
#include "train/memory_plan.h"

namespace ampgrad::train {
namespace {

// A GPT whose activations outweigh its parameters, as in training.
models::GptConfig Config() {
  models::GptConfig config = TinyConfig();
  config.vocab_size = 300;
  config.n_positions = 256;
  config.n_embd = 64;
  return config;
}

// The ids do not affect any size.
Batch BatchOf(Index batch, Index length) {
  const std::vector<int> tokens(batch * length, 1);
  return {length, tokens, tokens};
}

models::Gpt PlannedModel(const MethodSettings& method) {
  models::Gpt model(Config());
  model.Initialise(1);
  if (method.NeedsBasis()) {
    const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
    Prepare(model, method, std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, method.k)));
  }
  return model;
}

std::vector<MethodSettings> PlannedMethods() {
  std::vector<MethodSettings> methods = {{}};
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored})
      methods.push_back({.method = "amplitude", .k = 8, .start = start, .chain = chain});
  }
  return methods;
}

void Step(models::LanguageModel& model, AdamW& optimizer, const Batch& batch) {
  optimizer.ZeroGrad();
  Tape tape;
  tape.Backward(BatchLoss(model, tape, batch));
  optimizer.Step(1e-3);
}

// Bytes and pages are exact with one thread only: it is a matter of chance when a second one allocates its work space.
class MemoryPlanBytes : public testing::Test {
 protected:
  void SetUp() override { SetNumThreads(1); }
  void TearDown() override { SetNumThreads(0); }
};

// From steps of 16 and 32 tokens to one of 1024.
TEST_F(MemoryPlanBytes, PredictsThePeakOfAStep) {
  for (const MethodSettings& method : PlannedMethods()) {
    SCOPED_TRACE(method.Label() + " " + nn::ToString(method.chain));
    models::Gpt model = PlannedModel(method);
    const MemoryPlan plan = PlanMemory(model);
    AdamW optimizer(models::TrainableParameters(model), {});
    const Batch batch = BatchOf(8, 128);
    Tensor::ResetPeakBytes();
    Step(model, optimizer, batch);
    const double measured = static_cast<double>(Tensor::PeakBytes()), predicted = static_cast<double>(plan.Total(1024));
    EXPECT_NEAR(predicted / measured, 1, 0.02)
        << Megabytes(plan.Total(1024)) << " of " << Megabytes(Tensor::PeakBytes());
  }
}

// With --checkpoint, a block runs twice, and the most is reached within its second run.
TEST_F(MemoryPlanBytes, PredictsThePeakOfACheckpointedStep) {
  for (const MethodSettings& method : PlannedMethods()) {
    for (const auto& [sequences, length] : {std::pair<Index, Index>{1, 64}, {8, 128}, {32, 256}}) {
      SCOPED_TRACE(method.Label() + " " + nn::ToString(method.chain) + " " + std::to_string(sequences * length));
      models::Gpt model = PlannedModel(method);
      model.checkpoint_blocks = true;
      const MemoryPlan plan = PlanMemory(model);
      AdamW optimizer(models::TrainableParameters(model), {});
      Tensor::ResetPeakBytes();
      Step(model, optimizer, BatchOf(sequences, length));
      const double measured = static_cast<double>(Tensor::PeakBytes());
      const double ratio = static_cast<double>(plan.Total(sequences * length)) / measured;
      EXPECT_GE(ratio, 0.995) << Megabytes(Tensor::PeakBytes());
      EXPECT_LE(ratio, 1.10) << Megabytes(Tensor::PeakBytes());
    }
  }
}

// The sum of the ops' `saves` lines for each token, in a GPT whose parameters all train. A block keeps its input and
// both norms' outputs (C each), qkv (3C), the attention's output (C), the sum after it (C), the MLP's inner layer
// before and after GELU (2·4C), mean and rstd of two norms (4), and a log-sum for each head. After the blocks, the last
// norm's input, output and statistics (2C + 2) are kept, and the logits with their max and log-sum (V + 2).
TEST_F(MemoryPlanBytes, KeepsWhatTheSavesLinesName) {
  models::Gpt model = PlannedModel({});
  const models::GptConfig c = Config();
  const Index block = 8 * c.n_embd + 2 * 4 * c.n_embd + 4 + c.n_head;
  const Index expected = c.n_layer * block + 2 * c.n_embd + 2 + c.vocab_size + 2;
  const auto kept = [&](Index tokens) {
    const Batch batch = BatchOf(1, tokens);
    const Index before = Tensor::LiveBytes();
    Tape tape;
    const Var loss = BatchLoss(model, tape, batch);
    return Tensor::LiveBytes() - before;
  };
  kept(256);  // the first products of a size allocate their work space
  EXPECT_EQ(kept(256) - kept(128), 128 * expected * static_cast<Index>(sizeof(Real)));
}

// The factored chain from start reconstructed keeps neither W nor the wide input of a projection.
TEST_F(MemoryPlanBytes, TheFactoredChainKeepsLess) {
  const auto reconstructed = [](nn::Chain chain) {
    return MethodSettings{.method = "amplitude", .k = 8, .start = ct::Start::kReconstructed, .chain = chain};
  };
  models::Gpt explicit_chain = PlannedModel(reconstructed(nn::Chain::kExplicit));
  models::Gpt factored_chain = PlannedModel(reconstructed(nn::Chain::kFactored));
  PlanMemory(explicit_chain), PlanMemory(factored_chain);  // the first products of a size allocate their work space
  EXPECT_LT(PlanMemory(factored_chain).Step(1024), PlanMemory(explicit_chain).Step(1024));
}

TEST_F(MemoryPlanBytes, LeavesTheModelAsItWas) {
  models::Gpt model = PlannedModel({});
  PlanMemory(model);  // the first products of a size allocate their work space
  const Index before = Tensor::LiveBytes();
  PlanMemory(model);
  EXPECT_EQ(Tensor::LiveBytes(), before);
  for (const Param* param : models::Parameters(model)) EXPECT_TRUE(param->grad.empty());
}

TEST(MemoryPlan, ReadsAsASum) {
  MemoryPlan plan{0, 26'100'000, 0, 0, 52'100'000, 1000, {1'000'000, 5'000'000}, {1e5, 100}};
  EXPECT_EQ(plan.Step(10), 5'001'000);
  EXPECT_EQ(plan.Step(1000), 101'000'000);
  EXPECT_EQ(ToString(plan, 1000),
            "weights 26.1 MB + moments 52.1 MB + activations of 1000 tokens 100.0 MB + logits 1.0 MB = 179.2 MB, and "
            "gaps of up to 50.5 MB between them");
  plan.mapped = 2'200'000'000;
  plan.basis = 500'000;
  plan.scores = 3'000'000;
  EXPECT_EQ(ToString(plan, 1000),
            "weights 26.1 MB + basis 0.5 MB + scores 3.0 MB + moments 52.1 MB + activations of 1000 tokens 100.0 MB + "
            "logits 1.0 MB = 182.7 MB, and gaps of up to 50.5 MB between them, beside 2200.0 MB mapped from files");
}

// Steps of 1 MB and 0.1 MB a token, half of it again for gaps, and 50 MB of moments.
TEST(MemoryPlan, NamesWhatWouldFit) {
  const MemoryPlan plan{0, 0, 0, 0, 50'000'000, 0, {1'000'000}, {1e5}};
  const auto message = [&](Index batch, Index length, Index available) -> std::string {
    try {
      RequireMemory(plan, batch, length, available);
      return "";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(message(4, 100, 111'500'000), "");
  EXPECT_EQ(
      message(4, 100, 111'499'999),
      "training needs 111.5 MB more memory for --batch 4 --length 100, found 111.5 MB available; --batch 3 --length "
      "100 would fit");
  EXPECT_EQ(
      message(4, 100, 60'000'000),
      "training needs 111.5 MB more memory for --batch 4 --length 100, found 60.0 MB available; --batch 1 --length "
      "56 would fit");
  EXPECT_EQ(
      message(4, 100, 51'000'000),
      "training needs 111.5 MB more memory for --batch 4 --length 100, found 51.0 MB available; not even one token "
      "fits");
}

#ifdef __linux__
TEST(AvailableMemory, IsWhatTheLimitOnAddressSpaceLeaves) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const Index unlimited = AvailableMemory();
  EXPECT_GT(unlimited, 0);
  if (unlimited < 1'000'000'000) GTEST_SKIP() << "too little memory to limit it";
  // The address space in use, and 200 MB more, of which the allocator requests some in advance.
  std::ifstream status("/proc/self/status");
  Index size = 0;
  for (std::string word; status >> word;) {
    if (word == "VmSize:") status >> size;
  }
  rlimit limit = before;
  limit.rlim_cur = static_cast<rlim_t>(1024 * size + 200'000'000);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  const Index left = AvailableMemory();
  setrlimit(RLIMIT_AS, &before);
  EXPECT_LE(left, 200'000'000 - kAllocatorGrowth);
  EXPECT_GE(left, 180'000'000 - kAllocatorGrowth);
}
#endif

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)  // which does not reuse memory that was just freed
// Ends the process, with 0 if the system maps hardly any page after the first steps. The allocator sometimes finds
// another place for a buffer, hence the average over many steps.
[[noreturn]] void CountPagesOfSteps() {
  KeepFreedMemory();
  models::Gpt model = PlannedModel({});
  AdamW optimizer(models::TrainableParameters(model), {});
  const Batch batch = BatchOf(8, 128);
  const auto faults = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  for (int i = 0; i < 3; ++i) Step(model, optimizer, batch);
  const long before = faults();
  constexpr int kSteps = 30;
  for (int i = 0; i < kSteps; ++i) Step(model, optimizer, batch);
  const long mapped = (faults() - before) / kSteps;
  const Index step_pages = PlanMemory(model).Step(1024) / 4096;
  std::cerr << mapped << " of " << step_pages << " pages a step\n";
  std::exit(mapped < step_pages / 100 ? 0 : 1);
}

// Buffers come from memory that earlier steps have freed. A death test runs as a process of its own: the holes that
// other tests leave in the memory of this one would be filled first.
TEST_F(MemoryPlanBytes, StepsReuseTheMemoryOfTheFirst) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(CountPagesOfSteps(), testing::ExitedWithCode(0), "pages a step");
}
#endif

// Packed sequences stay whole, so the shard that ends with a long one holds more than its part of the rows.
TEST(MemoryPlan, CountsTheRowThatAPackedShardMayAdd) {
  MemoryPlan plan;
  plan.shards = 4;
  EXPECT_EQ(plan.Shard(10), 3);
  plan.packed = true;
  EXPECT_EQ(plan.Shard(10), 4);
  EXPECT_EQ(plan.Shard(1), 1);
  plan.shards = 1;
  EXPECT_EQ(plan.Shard(10), 10);
  // Rows of 8 tokens: 4 of 8, 8 and 8 tokens begin before the middle of 24, so two shards take 20 and 4.
  const Batch packed = {8, std::vector<int>(24), std::vector<int>(24),
                        std::make_shared<std::vector<Index>>(std::vector<Index>{0, 4, 12, 20, 24})};
  plan.shards = 2;
  for (Index i = 0; i < 2; ++i) EXPECT_LE(packed.Shard(i, 2).tokens(), plan.Shard(3) * 8);
}

}  // namespace
}  // namespace ampgrad::train
