#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// A pass in two halves: up to a block, and from it on.
namespace ampgrad::models {
namespace {

const std::vector<int> kIds = RandomIds(24, 23, 1);

ops::Borders SomeBorders() { return std::make_shared<const std::vector<Index>>(std::vector<Index>{0, 5, 6, 18, 24}); }

void ForEachModel(const std::function<void(LanguageModel&)>& body) {
  for (const bool half : {false, true}) {
    for (const auto& model : BothFamilies(3, /*tied=*/true)) {
      SCOPED_TRACE(model->Config().at("model_type").dump() + (half ? " as stored" : ""));
      half ? HoldAtHalfWidth(*model) : SetTrainable(*model, false);
      body(*model);
    }
  }
}

// The parameter of that name.
Param& FindParam(LanguageModel& model, const std::string& name) {
  for (Param* param : Parameters(model)) {
    if (param->name == name) return *param;
  }
  throw std::invalid_argument(name);
}

TEST(PartialPass, HalvesHaveTheBitsOfLogits) {
  ForEachModel([](LanguageModel& model) {
    for (const ops::Borders& borders : {ops::Borders(), SomeBorders()}) {
      Tape whole(Tape::Mode::kInference);
      const Tensor logits = model.Logits(whole, kIds, 12, borders).value;
      for (Index block = 0; block <= model.layers(); ++block) {
        const Tensor hidden = model.HiddenBefore(block, kIds, 12, borders);
        EXPECT_EQ(hidden.shape(), (Shape{24, 16}));
        Tape tape(Tape::Mode::kInference);
        EXPECT_TRUE(SameBits(model.LogitsFrom(tape, block, hidden, 12, borders).value, logits)) << block;
      }
    }
  });
}

// Even though a pass that records runs its lower half on the recording tape.
TEST(PartialPass, HalvesHaveTheGradientsOfTheWhole) {
  for (const bool checkpoint : {false, true}) {
    for (const auto& model : BothFamilies(3, /*tied=*/false)) {
      model->checkpoint_blocks = checkpoint;
      for (nn::Matrix* matrix : model->BlockParts(0).matrices) matrix->form->Part("weight").trainable = false;
      for (Param* vector : model->BlockParts(0).vectors) vector->trainable = false;
      for (Param* param : PartsBefore(*model, 0).vectors) param->trainable = false;
      for (nn::Matrix* matrix : PartsBefore(*model, 0).matrices) matrix->form->Part("weight").trainable = false;
      ASSERT_EQ(FirstTrainedBlock(*model), 1);
      const auto gradients = [&](const std::function<Var(Tape&)>& logits) {
        Tape tape;
        tape.Backward(MeanCrossEntropy(logits(tape), RandomIds(24, 23, 2)));
        std::vector<Tensor> all;
        for (Param* param : TrainableParameters(*model)) all.push_back(std::exchange(param->grad, Tensor()));
        return all;
      };
      const auto expected = gradients([&](Tape& tape) { return model->Logits(tape, kIds, 12, SomeBorders()); });
      const Tensor hidden = model->HiddenBefore(1, kIds, 12, SomeBorders());
      const auto found = gradients([&](Tape& tape) { return model->LogitsFrom(tape, 1, hidden, 12, SomeBorders()); });
      ASSERT_EQ(found.size(), expected.size());
      for (size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(SameBits(found[i], expected[i])) << i;
    }
  }
}

TEST(PartialPass, RefusesABlockOrAWidthThatTheModelHasNot) {
  const auto model = TinyGpt(1);
  Tape tape(Tape::Mode::kInference);
  ExpectMessage<std::invalid_argument>([&] { model->HiddenBefore(3, kIds, 12); },
                                       "[logits] expected a block of 0 to 2, found 3");
  ExpectMessage<std::invalid_argument>(
      [&] {
        model->LogitsFrom(tape, -1, Tensor({12, 16}), 12);
      },
      "[logits] expected a block of 0 to 2, found -1");
  ExpectMessage<std::invalid_argument>(
      [&] {
        model->LogitsFrom(tape, 1, Tensor({12, 15}), 12);
      },
      "[logits] expected hidden [N, 16], found [12, 15]");
  ExpectMessage<std::invalid_argument>([&] { model->HiddenBefore(1, kIds, 13); },
                                       "[logits] expected sequences of 1 to 12 tokens, found 13");
}

TEST(FirstTrainedBlock, IsTheLowestWithAParameterThatTrains) {
  const auto model = TinyGpt(1, /*tied=*/false);
  SetTrainable(*model, false);
  EXPECT_EQ(FirstTrainedBlock(*model), 2);
  const auto with = [&](const std::string& name) {
    FindParam(*model, name).trainable = true;
    const Index block = FirstTrainedBlock(*model);
    FindParam(*model, name).trainable = false;
    return block;
  };
  EXPECT_EQ(with("ln_f.weight"), 2);
  EXPECT_EQ(with("lm_head.weight"), 2);
  EXPECT_EQ(with("h.1.ln_2.bias"), 1);
  EXPECT_EQ(with("h.1.mlp.c_proj.weight"), 1);
  EXPECT_EQ(with("h.0.mlp.c_proj.weight"), 0);
  EXPECT_EQ(with("h.0.ln_1.weight"), 0);
  EXPECT_EQ(with("wpe.weight"), 0);
  EXPECT_EQ(with("wte.weight"), 0);
}

TEST(FirstTrainedBlock, IsZeroWithATiedHead) {
  for (const auto& model : BothFamilies(1, /*tied=*/true)) {
    SetTrainable(*model, false);
    model->HeadMatrix().MakeTrainable();
    EXPECT_EQ(FirstTrainedBlock(*model), 0);
  }
}

}  // namespace
}  // namespace ampgrad::models
