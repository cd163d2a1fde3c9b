#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// What holds for a model of either family, whatever its weights.
namespace ampgrad::models {
namespace {

TEST(LanguageModel, RefusesSequencesBeyondItsContext) {
  for (const auto& model : BothFamilies(1, false)) {
    EXPECT_EQ(LogitsOf(*model, RandomIds(12, 23, 1), 12).shape(), Shape({12, 23}));
    ExpectMessage<std::invalid_argument>([&] { LogitsOf(*model, RandomIds(13, 23, 1), 13); },
                                         "[logits] expected sequences of 1 to 12 tokens, found 13");
  }
}

TEST(LanguageModel, RefusesIdsOutsideTheVocabulary) {
  for (const bool half : {false, true}) {
    for (const auto& model : BothFamilies(1, false)) {
      if (half) HoldAtHalfWidth(*model);
      const std::string op = half ? "[frozen_rows]" : "[embedding]";
      for (const int id : {-1, 23}) {
        ExpectMessage<std::invalid_argument>(
            [&] {
              LogitsOf(*model, {0, id}, 2);
            },
            op + " expected ids in 0..22, found " + std::to_string(id) + " at position 1");
      }
    }
  }
}

TEST(LanguageModel, SequencesOfABatchDoNotSeeEachOther) {
  const std::vector<int> a = RandomIds(6, 23, 1), b = RandomIds(6, 23, 2);
  std::vector<int> both = a;
  both.insert(both.end(), b.begin(), b.end());
  for (const auto& model : BothFamilies(2, false)) {
    const Tensor batch = LogitsOf(*model, both, 6);
    EXPECT_TRUE(SameBits(batch.Rows(0, 6), LogitsOf(*model, a, 6)));
    EXPECT_TRUE(SameBits(batch.Rows(6, 12), LogitsOf(*model, b, 6)));
  }
}

TEST(LanguageModel, LaterTokensDoNotChangeEarlierLogits) {
  const std::vector<int> ids = RandomIds(8, 23, 1);
  std::vector<int> changed = ids;
  changed[5] = (ids[5] + 1) % 23;
  for (const auto& model : BothFamilies(2, false)) {
    const Tensor before = LogitsOf(*model, ids, 8), after = LogitsOf(*model, changed, 8);
    EXPECT_TRUE(SameBits(before.Rows(0, 5), after.Rows(0, 5)));
    for (Index i = 5; i < 8; ++i) EXPECT_FALSE(SameBits(before.Rows(i, i + 1), after.Rows(i, i + 1))) << i;
  }
}

// A model of each family; of Llama's also one with biases.
std::vector<std::unique_ptr<LanguageModel>> ModelsWithAndWithoutBiases(bool tied) {
  auto models = BothFamilies(4, tied);
  LlamaConfig config = LittleLlamaConfig(tied);
  config.attention_bias = true;
  models.push_back(std::make_unique<Llama>(config));
  Randomise(*models.back(), 4);
  return models;
}

TEST(LanguageModel, CloneIsIndependent) {
  const std::vector<int> ids = RandomIds(8, 23, 1);
  for (const bool tied : {true, false}) {
    for (const auto& model : ModelsWithAndWithoutBiases(tied)) {
      const Tensor before = LogitsOf(*model, ids, 8);
      const auto copy = model->Clone();
      EXPECT_TRUE(SameBits(LogitsOf(*copy, ids, 8), before));
      EXPECT_EQ(copy->Config(), model->Config());
      for (Param* param : Parameters(*copy)) param->value.Fill(Real{0.5});
      EXPECT_TRUE(SameBits(LogitsOf(*model, ids, 8), before));
      EXPECT_FALSE(SameBits(LogitsOf(*copy, ids, 8), before));
    }
  }
}

TEST(LanguageModel, CloneIsCheckpointedAlike) {
  for (const auto& model : BothFamilies(4, false)) {
    EXPECT_FALSE(model->Clone()->checkpoint_blocks);
    model->checkpoint_blocks = true;
    EXPECT_TRUE(model->Clone()->checkpoint_blocks);
  }
}

TEST(LanguageModel, CloneAtHalfWidthSharesTheMatrices) {
  const std::vector<int> ids = RandomIds(8, 23, 1);
  for (const auto& model : BothFamilies(4, false)) {
    HoldAtHalfWidth(*model);
    const auto copy = model->Clone();
    const nn::Parts from = model->Parts(), to = copy->Parts();
    for (size_t i = 0; i < to.matrices.size(); ++i) {
      EXPECT_FALSE(to.matrices[i]->HasParameters());
      EXPECT_EQ(to.matrices[i]->form->Merged().data(), from.matrices[i]->form->Merged().data());
    }
    EXPECT_TRUE(SameBits(LogitsOf(*copy, ids, 8), LogitsOf(*model, ids, 8)));
  }
}

// The logits are those of a dense model of the same, rounded values.
TEST(LanguageModel, HalfWidthGivesTheBitsOfTheWidenedNumbers) {
  const std::vector<int> ids = RandomIds(24, 23, 1);
  for (const bool tied : {true, false}) {
    const auto half = BothFamilies(4, tied), wide = BothFamilies(4, tied);
    for (size_t i = 0; i < half.size(); ++i) {
      HoldAtHalfWidth(*half[i]);
      HoldAtHalfWidth(*wide[i]);
      for (nn::Matrix* matrix : wide[i]->Parts().matrices) matrix->MakeTrainable();
      EXPECT_TRUE(SameBits(LogitsOf(*half[i], ids, 12), LogitsOf(*wide[i], ids, 12)));
    }
  }
}

}  // namespace
}  // namespace ampgrad::models
