#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>

#include "ct/basis.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/freezing.h"

namespace ampgrad::train {
namespace {

const MethodSettings kAmplitude = {.method = "amplitude", .k = 4};

struct AmplitudeNano {
  models::Gpt model = Nano();
  Bases bases = MakeBases(model, kAmplitude, {}, {});

  AmplitudeNano() { Prepare(model, kAmplitude, bases); }
};

// (tr C)²/‖C‖² of the covariance of a matrix's scores: the participation ratio without its eigenvalues.
double PrByTraces(const ct::RowSource& source, const ct::Basis& basis) {
  const Tensor scores = ct::Scores(ct::ReadRows(source), basis);
  const Index n = scores.rows(), k = scores.cols();
  std::vector<double> mean(k);
  for (Index r = 0; r < n; ++r) {
    for (Index c = 0; c < k; ++c) mean[c] += scores.row(r)[c] / static_cast<double>(n);
  }
  double trace = 0, squares = 0;
  for (Index i = 0; i < k; ++i) {
    for (Index j = 0; j < k; ++j) {
      double sum = 0;
      for (Index r = 0; r < n; ++r) sum += (scores.row(r)[i] - mean[i]) * (scores.row(r)[j] - mean[j]);
      if (i == j) trace += sum;
      squares += sum * sum;
    }
  }
  return trace * trace / squares;
}

TEST(Freezing, OrdersByParticipationRatio) {
  AmplitudeNano p;
  std::map<std::string, double> pr;
  for (const ct::RowSource& source : ct::SelectRows(MatricesInScope(p.model, {}), 32, ct::RowsPolicy::kBlocks)) {
    pr[source.matrix->name] = PrByTraces(source, *p.bases.shared());
  }
  std::vector<std::string> order = OrderToFreeze(p.model, "pr", kAmplitude, p.bases);
  ASSERT_EQ(order.size(), 8u);
  for (size_t i = 1; i < order.size(); ++i) EXPECT_LT(pr.at(order[i - 1]), pr.at(order[i])) << order[i];
  std::ranges::reverse(order);
  EXPECT_EQ(OrderToFreeze(p.model, "pr-high", kAmplitude, p.bases), order);
}

TEST(Freezing, OtherOrders) {
  AmplitudeNano p;
  const std::vector<std::string> layers = OrderToFreeze(p.model, "layers", kAmplitude, p.bases);
  std::vector<std::string> names;
  for (const nn::Matrix* matrix : MatricesInScope(p.model, {})) names.push_back(matrix->name);
  EXPECT_EQ(layers, names);
  EXPECT_TRUE(layers.front().starts_with("h.0.")) << layers.front();
  EXPECT_TRUE(layers.back().starts_with("h.1.")) << layers.back();

  MethodSettings other = kAmplitude;
  other.seed = 2;
  const auto drawn = OrderToFreeze(p.model, "random", kAmplitude, p.bases);
  EXPECT_TRUE(std::ranges::is_permutation(drawn, layers));
  EXPECT_EQ(OrderToFreeze(p.model, "random", kAmplitude, p.bases), drawn);
  EXPECT_NE(OrderToFreeze(p.model, "random", other, p.bases), drawn);
  ExpectMessage<std::invalid_argument>([&] { OrderToFreeze(p.model, "depth", kAmplitude, p.bases); },
                                       "[freeze] expected pr, pr-high, random or layers, found 'depth'");
}

TEST(Freezing, AMethodWithoutScoresHasNoParticipationRatio) {
  models::Gpt model = Nano();
  const MethodSettings lora = {.method = "lora"};
  Prepare(model, lora);
  ExpectMessage<std::invalid_argument>([&] { OrderToFreeze(model, "pr", lora, {}); },
                                       "[freeze] expected an amplitude method with a basis, whose scores have a "
                                       "participation ratio, found 'lora r=8'");
  EXPECT_EQ(OrderToFreeze(model, "layers", lora, {}).size(), 8u);
}

TEST(Freezing, HalfStopsAtAQuarterAndThreeQuartersAtHalf) {
  const std::vector<std::string> order = {"a", "b", "c", "d", "e", "f", "g", "h"};
  const std::vector<Freeze> freezes = FreezeInParts(order, 40);
  ASSERT_EQ(freezes.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(freezes[i].matrix, order[i]);
    EXPECT_EQ(freezes[i].step, i < 4 ? 10 : 20) << i;
  }
  EXPECT_TRUE(FreezeInParts({"a"}, 40).empty());  // one matrix has no half
  // Half of all dW, which are a third of a step: five sixths are left, the 1.2 of reports.
  double frozen = 0;
  for (const Freeze& freeze : freezes) frozen += static_cast<double>(40 - freeze.step) / (8 * 40);
  EXPECT_NEAR(1 / (1 - frozen / 3), 6.0 / 5, 1e-12);
}

// By hand: one of two equal layers, frozen from the first step on, is half of all dW, which is a third of the work.
TEST(Freezing, WhatItSavesAtMost) {
  AmplitudeNano p;
  EXPECT_EQ(MostFreezingSaves(p.model, {}, 40), 1);
  std::vector<Freeze> layer;
  for (const std::string& name : OrderToFreeze(p.model, "layers", kAmplitude, p.bases)) {
    if (name.starts_with("h.0.")) layer.push_back({0, name});
  }
  EXPECT_NEAR(MostFreezingSaves(p.model, layer, 40), 1.2, 1e-12);
  for (Freeze& freeze : layer) freeze.step = 20;
  EXPECT_NEAR(MostFreezingSaves(p.model, layer, 40), 12.0 / 11, 1e-12);
}

TEST(Freezing, ReadsASchedule) {
  AmplitudeNano p;
  const TempDir directory;
  const std::filesystem::path file = directory.path() / "schedule";
  const auto read = [&](const std::string& text) {
    std::ofstream(file) << text;
    return ReadFreezes(file, p.model, 40);
  };
  const auto freezes = read("# comment\n\n20 h.1.mlp.c_fc.weight\n5  h.0.attn.c_attn.weight \r\n");
  ASSERT_EQ(freezes.size(), 2u);
  EXPECT_EQ(freezes[0].step, 5);
  EXPECT_EQ(freezes[0].matrix, "h.0.attn.c_attn.weight");
  EXPECT_EQ(freezes[1].step, 20);
  const std::string line =
      file.string() + ":2: expected a number of steps from 0 to 40 and the name of a matrix, found ";
  for (const std::string bad : {"41 h.0.attn.c_attn.weight", "-1 h.0.attn.c_attn.weight", "h.0.attn.c_attn.weight", "5",
                                "5 h.0.attn.c_attn.weight 6"}) {
    ExpectMessage<std::runtime_error>([&] { read("#\n" + bad + "\n"); }, line + "'" + bad + "'");
  }
  const std::string once = ": expected a matrix that trains, each once, found 'h.0.attn.c_attn.weight'";
  ExpectMessage<std::runtime_error>([&] { read("1 h.0.attn.c_attn.weight\n2 h.0.attn.c_attn.weight\n"); },
                                    file.string() + ":2" + once);
  ExpectMessage<std::runtime_error>([&] { read("1 wte.weight\n"); },
                                    file.string() + ":1: expected a matrix that trains, each once, found 'wte.weight'");
}

// Until it stops, a matrix moves as in a run that freezes nothing; then it stays, while others move.
TEST(Freezing, FrozenParametersStayToTheBit) {
  const auto run = [](const std::vector<Freeze>& freezes, std::vector<std::map<std::string, std::string>>& bytes) {
    AmplitudeNano p;
    TrainOptions options = OptionsOf(8, 1e-2);
    options.freeze = freezes;
    const auto params = models::TrainableParameters(p.model);
    Trainer trainer(p.model, options);
    while (!trainer.Done()) {
      trainer.Step(Pairs().data.train(trainer.step()));
      bytes.push_back(BytesOf(params));
    }
  };
  AmplitudeNano p;
  const auto order = OrderToFreeze(p.model, "pr", kAmplitude, p.bases);
  std::vector<std::map<std::string, std::string>> whole, frozen;
  run({}, whole);
  run({{3, order[0]}, {5, order[1]}}, frozen);
  const std::string early = "scores." + order[0], late = "scores." + order[1], never = "scores." + order[2];
  for (size_t step = 0; step < 3; ++step) EXPECT_EQ(frozen[step], whole[step]) << step;
  for (size_t step = 3; step < 8; ++step) {
    EXPECT_EQ(frozen[step].at(early), frozen[2].at(early)) << step;
    EXPECT_EQ(frozen[step].at(late) == frozen[step - 1].at(late), step >= 5) << step;
    EXPECT_NE(frozen[step].at(never), frozen[step - 1].at(never)) << step;
  }
}

// An adapter that is saved after the run, or a run that goes on from it, has all that trained.
TEST(Freezing, WhatWasFrozenCanTrainAgain) {
  AmplitudeNano p;
  const auto params = models::TrainableParameters(p.model);
  TrainOptions options = OptionsOf(4, 1e-2);
  options.freeze = FreezeInParts(OrderToFreeze(p.model, "layers", kAmplitude, p.bases), 4);
  Train(p.model, Pairs().data.train, options);
  EXPECT_EQ(models::TrainableParameters(p.model), params);
}

TEST(Freezing, SomethingTrainsToTheEnd) {
  AmplitudeNano p;
  TrainOptions options = OptionsOf(4, 1e-2);
  for (const std::string& name : OrderToFreeze(p.model, "layers", kAmplitude, p.bases))
    options.freeze.push_back({3, name});
  ExpectMessage<std::runtime_error>(
      [&] { Trainer(p.model, options); },
      "expected parameters that train to the last step, found that all are frozen before it");
  for (Freeze& freeze : options.freeze) freeze.step = 4;
  Trainer allowed(p.model, options);
  options.freeze = {{1, "h.7.weight"}};
  ExpectMessage<std::invalid_argument>([&] { Trainer(p.model, options); },
                                       "[freeze] the model has no matrix 'h.7.weight'");
}

}  // namespace
}  // namespace ampgrad::train
