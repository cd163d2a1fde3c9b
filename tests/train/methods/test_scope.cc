#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "train/commands/options/options.h"
#include "train/demo/sweep.h"
#include "train/methods/scope.h"

/// Which layers train: the words for them, and what happens to the others.
namespace ampgrad::train {
namespace {

using Names = std::set<std::string>;

TEST(ParseLayers, ReadsEveryForm) {
  EXPECT_TRUE(ParseLayers("all", 22).all_layers);
  const auto expect = [](const std::string& word, Index first, Index last) {
    const Scope scope = ParseLayers(word, 22);
    EXPECT_FALSE(scope.all_layers) << word;
    EXPECT_FALSE(scope.head) << word;
    EXPECT_EQ(scope.first, first) << word;
    EXPECT_EQ(scope.last, last) << word;
  };
  expect("last:1", 21, 21);
  expect("last:2", 20, 21);
  expect("last:22", 0, 21);
  expect("0-3", 0, 3);
  expect("5-5", 5, 5);
  expect("0-21", 0, 21);
  expect("0", 0, 0);
  expect("21", 21, 21);
}

TEST(ParseLayers, RefusesLayersThatAreNotThere) {
  for (const std::string word : {"22", "0-22", "20-99", "22-22", "999999999999"}) {
    ExpectMessage<std::runtime_error>([&] { ParseLayers(word, 22); },
                                      "--layers " + word + ": expected layers 0 to 21, as the model has");
  }
  for (const std::string word : {"last:23", "last:9999999999"}) {
    ExpectMessage<std::runtime_error>([&] { ParseLayers(word, 22); }, "--layers " + word + ": the model has 22 layers");
  }
}

TEST(ParseLayers, RefusesOtherWords) {
  for (const std::string word : {"",
                                 "none",
                                 "All",
                                 "last",
                                 "last:",
                                 "last:0",
                                 "last:-1",
                                 "last:two",
                                 "last:1.5",
                                 "last: 2",
                                 "3-1",
                                 "-",
                                 "-1",
                                 "1-",
                                 "-1-2",
                                 "1-2-3",
                                 "1,2",
                                 "+1",
                                 "0x1",
                                 " 1",
                                 "1 ",
                                 "99999999999999999999",
                                 "last:99999999999999999999"}) {
    ExpectMessage<std::invalid_argument>([&] { ParseLayers(word, 22); },
                                         "--layers: expected all, last:N, A-B or A, found '" + word + "'");
  }
}

TEST(MatricesInScope, AreThoseOfTheBlocks) {
  const auto model = LittleLlama(1);
  EXPECT_EQ(MatricesInScope(*model, {}).size(), 14u);
  const auto last = MatricesInScope(*model, ParseLayers("last:1", 2));
  ASSERT_EQ(last.size(), 7u);
  for (const nn::Matrix* matrix : last) EXPECT_TRUE(matrix->name.starts_with("layers.1.")) << matrix->name;
}

// ---- Prepare

Names TrainedNames(models::LanguageModel& model) {
  Names names;
  for (const Param* param : models::TrainableParameters(model)) names.insert(param->name);
  return names;
}

std::shared_ptr<const ct::Basis> BasisOf(models::LanguageModel& model, ct::RowsPolicy policy) {
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), policy);
  return std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, 3));
}

void PrepareFor(models::LanguageModel& model, bool amplitude, const Scope& scope, ct::Start start = ct::Start::kExact,
                ct::RowsPolicy policy = ct::RowsPolicy::kBlocks) {
  const MethodSettings method{.method = amplitude ? "amplitude" : "full",
                              .scope = scope,
                              .k = 3,
                              .start = start,
                              .chain = nn::Chain::kFactored,
                              .rows = policy};
  Prepare(model, method, amplitude ? BasisOf(model, policy) : nullptr);
}

const Names kLastLayer = {"layers.1.self_attn.q_proj.weight", "layers.1.self_attn.k_proj.weight",
                          "layers.1.self_attn.v_proj.weight", "layers.1.self_attn.o_proj.weight",
                          "layers.1.mlp.gate_proj.weight",    "layers.1.mlp.up_proj.weight",
                          "layers.1.mlp.down_proj.weight"};

Names WithPrefix(const std::string& prefix, const Names& names, const Names& more = {}) {
  Names all = more;
  for (const std::string& name : names) all.insert(prefix + name);
  return all;
}

TEST(Prepare, TrainsTheMatricesInScopeAlone) {
  for (const bool tied : {true, false}) {
    const std::string head_name = tied ? "embed_tokens.weight" : "lm_head.weight";
    for (const bool head : {false, true}) {
      const Scope scope{false, 1, 1, head};
      const Names more = head ? Names{head_name} : Names{};
      for (const bool half : {false, true}) {
        const auto full = LittleLlama(1, tied), amplitude = LittleLlama(1, tied);
        if (half) HoldAtHalfWidth(*full), HoldAtHalfWidth(*amplitude);
        PrepareFor(*full, false, scope);
        EXPECT_EQ(TrainedNames(*full), WithPrefix("", kLastLayer, more));
        PrepareFor(*amplitude, true, scope);
        EXPECT_EQ(TrainedNames(*amplitude), WithPrefix("scores.", kLastLayer, more));
      }
    }
  }
}

// All layers: full SFT trains norms and embeddings too.
TEST(Prepare, AScopeOfAllLayersIsTheWholeModel) {
  const auto full = LittleLlama(1), amplitude = LittleLlama(1);
  PrepareFor(*full, false, {});
  EXPECT_EQ(models::CountParameters(models::TrainableParameters(*full)), models::CountParameters(*full));
  PrepareFor(*amplitude, true, {true, 0, 0, true});
  EXPECT_EQ(TrainedNames(*amplitude).size(), 14u + 1);
  EXPECT_TRUE(TrainedNames(*amplitude).contains("lm_head.weight"));
}

// Where the vocabulary is decomposed, too, a head that trains is not: nothing of it is lost.
TEST(Prepare, AHeadThatTrainsStaysAsItIs) {
  for (const bool tied : {true, false}) {
    const auto model = LittleLlama(1, tied);
    const Tensor before = model->HeadMatrix().form->Merged().Widened().Clone();
    PrepareFor(*model, true, {true, 0, 0, true}, ct::Start::kReconstructed, ct::RowsPolicy::kWidth);
    EXPECT_TRUE(SameBits(model->HeadMatrix().form->Merged().Widened(), before));
    EXPECT_EQ(TrainedNames(*model).contains("scores.embed_tokens.weight"), !tied);
    EXPECT_TRUE(TrainedNames(*model).contains(model->HeadMatrix().name));
  }
}

TEST(Prepare, WhatIsOutOfScopeStaysAtHalfWidth) {
  for (const bool amplitude : {false, true}) {
    const auto model = LittleLlama(1);
    HoldAtHalfWidth(*model);
    PrepareFor(*model, amplitude, {false, 1, 1, true});
    for (const nn::Matrix* matrix : model->Parts().matrices) {
      const bool in_scope = matrix->name.starts_with("layers.1.") || matrix->name == "lm_head.weight";
      EXPECT_EQ(matrix->HasParameters(), in_scope) << matrix->name;
    }
  }
}

TEST(Prepare, StepZeroOfAnExactStartIsTheModel) {
  for (const auto& base : BothFamilies(1, false)) {
    HoldAtHalfWidth(*base);
    const std::vector<int> ids = RandomIds(12, 23, 1);
    const Tensor before = LogitsOf(*base, ids, 12);
    for (const bool amplitude : {false, true}) {
      const auto model = base->Clone();
      PrepareFor(*model, amplitude, {false, 1, 1, true});
      EXPECT_TRUE(SameBits(LogitsOf(*model, ids, 12), before));
    }
  }
}

// ---- The cost of frozen layers below

Index RecordedNodes(models::LanguageModel& model) {
  Tape tape;
  model.Logits(tape, RandomIds(12, 23, 1), 12);
  return tape.size();
}

TEST(Prepare, FrozenLayersBelowRecordNothing) {
  SetNumThreads(1);
  for (const bool amplitude : {false, true}) {
    std::vector<Index> nodes, bytes;
    for (const Index layers : {1, 2, 5}) {
      models::LlamaConfig config = LittleLlamaConfig();
      config.num_hidden_layers = layers;
      models::Llama model(config);
      Randomise(model, 1);
      PrepareFor(model, amplitude, {false, layers - 1, layers - 1, true});
      nodes.push_back(RecordedNodes(model));
      bytes.push_back(KeptBytes(model, RandomIds(12, 23, 1), 12));
    }
    EXPECT_GT(nodes[0], 7);
    EXPECT_EQ(nodes[1], nodes[0]);
    EXPECT_EQ(nodes[2], nodes[0]);
    EXPECT_EQ(bytes[1], bytes[0]);
    EXPECT_EQ(bytes[2], bytes[0]);
  }
  SetNumThreads(0);
}

// The backward pass runs through the layers above those that train.
TEST(Prepare, LayersAboveCarryTheGradient) {
  const auto model = LittleLlama(1);
  PrepareFor(*model, false, {false, 0, 0, false});
  const std::vector<int> ids = RandomIds(12, 23, 1);
  Tape tape;
  tape.Backward(MeanCrossEntropy(model->Logits(tape, ids, 12), RandomIds(12, 23, 2)));
  for (const Param* param : models::Parameters(*model)) {
    EXPECT_EQ(param->grad.empty(), !param->trainable) << param->name;
  }
  for (const Param* param : models::TrainableParameters(*model)) EXPECT_TRUE(param->name.starts_with("layers.0."));
}

}  // namespace
}  // namespace ampgrad::train
