#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/forms/update_form.h"
#include "tests/reference/numbers.h"
#include "tests/support/small_models.h"
#include "tests/train/training.h"
#include "train/analysis/trace.h"
#include "train/data/batch_loss.h"

/// Write your own form of a weight: a walk-through that is a test. The form is W = diag(g)·W₀, one trained gain for
/// each output, as IA³ has them for activations (Liu et al., arXiv:2205.05638). nn/README.md says how a form that has
/// passed here becomes a method of `ampgrad sft`.
namespace ampgrad::train {
namespace {

// 1. The form. Make is the definition: W as a function of what trains. UpdateForm brings the rest: W₀ kept as stored,
//    the product, rows of the weight, and the merged weight. A chain that avoids dW is a bonus.

class Gains : public nn::UpdateForm {
 public:
  Gains(nn::FrozenBase base, nn::Chain chain) : UpdateForm(std::move(base), chain) {
    Tensor ones({UpdateForm::base().out()});
    ones.Fill(1);  // step 0 is the pretrained model
    gains_ = {"gains." + UpdateForm::base().name, ones, {}};
  }

  Var Make(Tape& tape) override { return ops::ScaleRows(tape.Constant(base().OutIn()), tape.Leaf(gains_)); }
  const char* Name() const override { return "gains"; }
  std::vector<nn::FormPart> Parts() override { return {{"gains", &gains_}}; }

 protected:
  // diag(g) stands outside the product: x·(diag(g)·W₀)ᵀ = (x·W₀ᵀ) ⊙ g.
  Var ApplyFactored(nn::Input& input, const Var* bias) override {
    const Var product = ops::FrozenLinear(input.x(), base().weight, base().layout, nullptr);
    return ops::ScaleColumns(product, input.x().tape->Leaf(gains_), bias);
  }

 private:
  Param gains_;  // [out]
};

// 2. The method: everything is frozen, then matrices get the form. The optimiser finds the gains through Parts.

std::unique_ptr<models::LanguageModel> WithGains(nn::Chain chain) {
  auto model = TinyGpt(3);
  for (Param* param : models::Parameters(*model)) param->trainable = false;
  for (nn::Matrix* matrix : model->Parts().matrices) {
    if (matrix->kind == nn::MatrixKind::kBlock) matrix->form = std::make_unique<Gains>(matrix->Base(), chain);
  }
  return model;
}

Batch GainsBatch() { return {6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)}; }

// 3. What must hold of any form.

TEST(OwnForm, StartsAtThePretrainedWeightBitForBit) {
  const auto plain = TinyGpt(3);
  const auto model = WithGains(nn::Chain::kExplicit);
  for (nn::Matrix* matrix : model->Parts().matrices) {
    EXPECT_TRUE(SameBits(matrix->form->Merged().Widened(), FindMatrix(*plain, matrix->name)->form->Merged().Widened()))
        << matrix->name;
  }
}

// Backward, the product with dW, and the difference of losses: three ways to one number.
TEST(OwnForm, ItsGradientIsThatOfItsWeight) {
  for (const char* name : {"h.0.attn.c_attn.weight", "h.1.mlp.c_proj.weight"}) {
    const auto model = WithGains(nn::Chain::kExplicit);
    const Trace trace = FollowNumber(*model, GainsBatch(), {.weight = name, .part = "gains", .row = 3});
    EXPECT_EQ(trace.row, 3);
    EXPECT_LE(std::abs(trace.dot / trace.gradient - 1), sizeof(Real) == 4 ? 1e-3 : 1e-11);
    if (sizeof(Real) == 8) {
      EXPECT_LE(std::abs(trace.difference / trace.gradient - 1), 1e-6);
    }
  }
}

TEST(OwnForm, BothChainsGiveTheSameGradient) {
  std::vector<std::unique_ptr<models::LanguageModel>> models;
  for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
    models.push_back(WithGains(chain));
    Tape tape;
    tape.Backward(BatchLoss(*models.back(), tape, GainsBatch()));
  }
  const auto dense = models::TrainableParameters(*models[0]), factored = models::TrainableParameters(*models[1]);
  ASSERT_EQ(dense.size(), 8u);
  for (size_t i = 0; i < dense.size(); ++i) {
    EXPECT_EQ(dense[i]->name.rfind("gains.h.", 0), 0u);
    const double norm = Norm(dense[i]->grad.data(), dense[i]->grad.size());
    EXPECT_GT(norm, 0);
    for (Index j = 0; j < dense[i]->grad.size(); ++j) {
      EXPECT_NEAR(factored[i]->grad[j], dense[i]->grad[j], 64 * kEpsilon * norm) << dense[i]->name;
    }
  }
}

TEST(OwnForm, TrainsAndMergesIntoAPlainWeight) {
  const auto model = WithGains(nn::Chain::kFactored);
  const auto plain = TinyGpt(3);
  Trainer trainer(*model, OptionsOf(20, 1e-1));
  const double before = trainer.Step(GainsBatch()).loss;
  while (!trainer.Done()) trainer.Step(GainsBatch());
  EXPECT_LT(Evaluate(*model, {GainsBatch()}), 0.9 * before);

  for (nn::Matrix* matrix : plain->Parts().matrices) {
    matrix->form = std::make_unique<nn::Frozen>(FindMatrix(*model, matrix->name)->form->Merged(), matrix->layout);
  }
  EXPECT_NEAR(Evaluate(*plain, {GainsBatch()}), Evaluate(*model, {GainsBatch()}), 1e-4);
}

}  // namespace
}  // namespace ampgrad::train
