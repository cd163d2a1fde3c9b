#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/train/training.h"
#include "train/demo/sweep.h"
#include "train/methods/method.h"

namespace ampgrad::train {
namespace {

std::shared_ptr<const ct::Basis> BasisOfBlocks(models::LanguageModel& model, Index k) {
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  return std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, k));
}

TEST(Method, LabelsTellMethodsApart) {
  EXPECT_EQ(MethodSettings{}.Label(), "full");
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 8}).Label(), "exact K=8");
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 64, .start = ct::Start::kReconstructed}).Label(),
            "reconstructed K=64");
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 8, .basis = ct::BasisKind::kRandom}).Label(),
            "exact K=8 random");
  EXPECT_EQ((MethodSettings{.method = "lora", .rank = 4}).Label(), "lora r=4");
}

TEST(Method, RefusesAnUnknownNameAndAMissingBasis) {
  models::Gpt model = Nano();
  ExpectMessage<std::invalid_argument>(
      [&] { Prepare(model, {.method = "lore"}); },
      "[method] expected one of full, amplitude, lora, lora-fa, pissa, dora, sparse, core, "
      "vera, norms, found 'lore'");
  ExpectMessage<std::invalid_argument>([&] { Prepare(model, {.method = "amplitude", .k = 2}); },
                                       "[method] amplitude needs a basis");
  EXPECT_EQ(MethodNames(), (std::vector<std::string>{"full", "amplitude", "lora", "lora-fa", "pissa", "dora", "sparse",
                                                     "core", "vera", "norms"}));
}

TEST(Chain, Words) {
  for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
    EXPECT_EQ(nn::ParseChain(nn::ToString(chain)), chain);
  }
  EXPECT_EQ(nn::ParseChain("factored"), nn::Chain::kFactored);
  for (const std::string word : {"", "Factored", "exact"}) {
    ExpectMessage<std::invalid_argument>([&] { nn::ParseChain(word); },
                                         "[chain] expected explicit or factored, found '" + word + "'");
  }
}

// The default of the commands is the faster chain; the default of MethodSettings is the explicit chain.
TEST(Method, ChainsUnlessSaid) {
  EXPECT_EQ(MethodSettings{}.chain, nn::Chain::kExplicit);
  EXPECT_EQ(SweepOptions().chain, nn::Chain::kFactored);
  EXPECT_EQ((MethodSettings{.method = "amplitude", .k = 8, .chain = nn::Chain::kFactored}).Label(), "exact K=8");
}

TEST(Prepare, TakesTheChain) {
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      models::Gpt model = Nano();
      Prepare(model, {.method = "amplitude", .k = 3, .start = start, .chain = chain}, BasisOfBlocks(model, 5));
      Tape tape;
      BatchLoss(model, tape, Pairs().data.train(0));
      Index reconstructed = 0;
      for (int node = 0; node < tape.size(); ++node) reconstructed += tape.op(node) == std::string("reconstruct");
      EXPECT_EQ(reconstructed, chain == nn::Chain::kExplicit ? 8 : 0);
    }
  }
}

TEST(Prepare, FullTrainsEveryNumber) {
  models::Gpt model = Nano();
  models::SetTrainable(model, false);
  Prepare(model, {});
  EXPECT_EQ(models::CountParameters(models::TrainableParameters(model)), kNanoParameters);
}

TEST(Prepare, AmplitudeTrainsScoresAlone) {
  for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
    SCOPED_TRACE(ct::ToString(start));
    models::Gpt model = Nano();
    Prepare(model, {.method = "amplitude", .k = 3, .start = start}, BasisOfBlocks(model, 5));
    const std::vector<Param*> trainable = models::TrainableParameters(model);
    EXPECT_EQ(trainable.size(), 8u);  // four matrices in each of two blocks
    EXPECT_EQ(models::CountParameters(trainable), 3 * kNanoRows);
    std::vector<Param*> frozen;
    for (Param* param : models::Parameters(model)) {
      EXPECT_EQ(param->trainable, param->name.rfind("scores.", 0) == 0) << param->name;
      if (!param->trainable) frozen.push_back(param);
    }
    const auto frozen_before = BytesOf(frozen), scores_before = BytesOf(trainable);
    TrainOptions options;
    options.steps = 3;
    options.lr = 1e-2;
    options.adamw.weight_decay = 0.1;  // must not reach what is frozen
    Train(model, Pairs().data.train, options, nullptr);
    EXPECT_EQ(frozen_before.size(),
              2u + 2 * 8 + 2);  // two embeddings, the biases and norms of two blocks, the last norm
    EXPECT_TRUE(BytesOf(frozen) == frozen_before);
    for (const auto& [name, bytes] : BytesOf(trainable)) EXPECT_FALSE(bytes == scores_before.at(name)) << name;
  }
}

TEST(Prepare, ExactStartIsTheModelBitForBit) {
  models::Gpt base = Nano();
  const auto model = base.Clone();
  Prepare(*model, {.method = "amplitude", .k = 3}, BasisOfBlocks(base, 3));
  const Batch batch = Pairs().data.train(0);
  Tape tape(Tape::Mode::kInference);
  const Tensor expected = base.Logits(tape, batch.inputs, batch.length).value;
  const Tensor found = model->Logits(tape, batch.inputs, batch.length).value;
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), sizeof(Real) * expected.size()), 0);
}

}  // namespace
}  // namespace ampgrad::train
