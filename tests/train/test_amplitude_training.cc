#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "tensor/kernels/kernels.h"
#include "tests/reference/numbers.h"
#include "tests/support/small_models.h"
#include "train/adamw.h"

/// Amplitude-only training of a whole model: how it starts, what changes, and what must not change.
namespace ampgrad::ct {
namespace {

constexpr Index kTokens = 8;

std::shared_ptr<const Basis> BlocksBasis(models::LanguageModel& model, Index k) {
  return std::make_shared<const Basis>(ComputeBasis(BlockRows(model), k));
}

// A copy of `base` of which only the scores of its blocks train.
std::unique_ptr<models::LanguageModel> AmplitudeCopy(models::LanguageModel& base,
                                                     const std::shared_ptr<const Basis>& basis, Start start) {
  std::unique_ptr<models::LanguageModel> model = base.Clone();
  models::SetTrainable(*model, false);
  UseAmplitude(BlockRows(*model), basis, start);
  return model;
}

void Backpropagate(models::LanguageModel& model) {
  const std::vector<int> ids = RandomIds(2 * kTokens, model.vocabulary(), 1);
  Tape tape;
  tape.Backward(MeanCrossEntropy(model.Logits(tape, ids, kTokens), RandomIds(2 * kTokens, model.vocabulary(), 2)));
}

void TrainSteps(models::LanguageModel& model, int steps) {
  train::AdamW optimizer(models::TrainableParameters(model), {});
  for (int step = 0; step < steps; ++step) {
    optimizer.ZeroGrad();
    Backpropagate(model);
    optimizer.Step(1e-2);
  }
}

Tensor LogitsOfSample(models::LanguageModel& model) {
  return LogitsOf(model, RandomIds(2 * kTokens, model.vocabulary(), 1), kTokens);
}

TEST(AmplitudeTraining, ExactStartsAtTheModelBitForBit) {
  for (const bool tied : {true, false}) {
    const auto base = TinyGpt(1, tied);
    const auto model = AmplitudeCopy(*base, BlocksBasis(*base, 3), Start::kExact);
    EXPECT_TRUE(SameBits(LogitsOfSample(*model), LogitsOfSample(*base)));
  }
}

// The same model, with dense matrices rebuilt beforehand.
TEST(AmplitudeTraining, ReconstructedStartsAtTheRebuiltModel) {
  const auto base = TinyGpt(2);
  const auto basis = BlocksBasis(*base, 3);
  const auto model = AmplitudeCopy(*base, basis, Start::kReconstructed);
  const auto rebuilt = base->Clone();
  for (const RowSource& source : BlockRows(*rebuilt)) {
    nn::Matrix& matrix = *source.matrix;
    Tensor rows = Rebuild(ct::Scores(ReadRows(source), *basis), *basis);
    if (source.layout != matrix.layout) rows = kernels::Transposed(rows);
    matrix.form = std::make_unique<nn::Dense>(matrix.name, rows, matrix.layout);
  }
  EXPECT_TRUE(SameBits(LogitsOfSample(*model), LogitsOfSample(*rebuilt)));
  EXPECT_FALSE(SameBits(LogitsOfSample(*model), LogitsOfSample(*base)));
}

TEST(AmplitudeTraining, FrozenPartsGetNoGrad) {
  for (const Start start : {Start::kReconstructed, Start::kExact}) {
    const auto base = TinyGpt(3);
    const auto model = AmplitudeCopy(*base, BlocksBasis(*base, 3), start);
    Backpropagate(*model);
    Index with_grad = 0;
    for (const Param* param : models::Parameters(*model)) {
      const bool scores = param->name.starts_with("scores.");
      EXPECT_EQ(param->trainable, scores) << param->name;
      EXPECT_EQ(param->grad.empty(), !scores) << param->name;
      with_grad += scores;
    }
    EXPECT_EQ(with_grad, 8);  // four matrices in each of two blocks
  }
}

TEST(AmplitudeTraining, FrozenBytesNeverChange) {
  for (const Start start : {Start::kReconstructed, Start::kExact}) {
    const auto base = TinyGpt(4);
    const auto basis = BlocksBasis(*base, 3);
    const auto model = AmplitudeCopy(*base, basis, start);
    std::vector<Tensor> before = {basis->vectors.Clone(), basis->mean.Clone()};
    std::vector<Tensor> frozen = {basis->vectors, basis->mean};
    for (const Param* param : models::Parameters(*model)) {
      if (param->trainable) continue;
      before.push_back(param->value.Clone());
      frozen.push_back(param->value);
    }
    // The pretrained matrices themselves, which the exact start may share.
    for (const nn::Matrix* matrix : base->Parts().matrices) {
      before.push_back(matrix->form->Merged().Widened().Clone());
      frozen.push_back(matrix->form->Merged().Widened());
    }
    const Tensor scores = models::TrainableParameters(*model)[0]->value.Clone();
    TrainSteps(*model, 4);
    EXPECT_FALSE(SameBits(models::TrainableParameters(*model)[0]->value, scores));
    for (size_t i = 0; i < frozen.size(); ++i) EXPECT_TRUE(SameBits(frozen[i], before[i])) << i;
  }
}

// With start exact the pretrained rows are a constant: scores of zero give them back after training, bit for bit.
TEST(AmplitudeTraining, PretrainedRowsSurviveTraining) {
  const auto base = TinyGpt(5);
  const auto model = AmplitudeCopy(*base, BlocksBasis(*base, 3), Start::kExact);
  TrainSteps(*model, 3);
  EXPECT_FALSE(SameBits(LogitsOfSample(*model), LogitsOfSample(*base)));
  for (Param* scores : models::TrainableParameters(*model)) scores->value.Fill(0);
  EXPECT_TRUE(SameBits(LogitsOfSample(*model), LogitsOfSample(*base)));
}

// max |ΔW − ΔW·Bᵀ·B| and max |ΔW| over all rows of all sources.
struct Leak {
  double outside = 0, moved = 0;
};

Leak LeakOutOf(const Basis& basis, const std::vector<RowSource>& before, const std::vector<RowSource>& after) {
  Leak leak;
  for (size_t m = 0; m < before.size(); ++m) {
    const Tensor w0 = ReadRows(before[m]), w = ReadRows(after[m]);
    for (Index i = 0; i < w.rows(); ++i) {
      std::vector<double> delta, rest;
      for (Index j = 0; j < w.cols(); ++j) delta.push_back(static_cast<double>(w.row(i)[j]) - w0.row(i)[j]);
      rest = delta;
      for (Index k = 0; k < basis.k(); ++k) {
        double dot = 0;
        for (Index j = 0; j < w.cols(); ++j) dot += delta[j] * basis.vectors.row(k)[j];
        for (Index j = 0; j < w.cols(); ++j) rest[j] -= dot * basis.vectors.row(k)[j];
      }
      for (Index j = 0; j < w.cols(); ++j) {
        leak.moved = std::max(leak.moved, std::abs(delta[j]));
        if (!(std::abs(rest[j]) <= leak.outside)) leak.outside = std::abs(rest[j]);
      }
    }
  }
  return leak;
}

TEST(AmplitudeTraining, MovesWithinTheSpanOfTheBasis) {
  for (const Start start : {Start::kReconstructed, Start::kExact}) {
    const auto base = TinyGpt(6);
    const auto basis = BlocksBasis(*base, 3);
    const auto before = AmplitudeCopy(*base, basis, start), after = AmplitudeCopy(*base, basis, start);
    TrainSteps(*after, 5);
    const Leak leak = LeakOutOf(*basis, BlockRows(*before), BlockRows(*after));
    EXPECT_GT(leak.moved, 0.01);
    EXPECT_LE(leak.outside, 16 * kEpsilon);  // the weights are of order one
  }
}

// Full training does leave the span, so the test above can fail.
TEST(AmplitudeTraining, FullTrainingLeavesTheSpan) {
  const auto base = TinyGpt(6);
  const auto after = base->Clone();
  TrainSteps(*after, 5);
  const Leak leak = LeakOutOf(*BlocksBasis(*base, 3), BlockRows(*base), BlockRows(*after));
  EXPECT_GT(leak.outside, 0.01);
}

// Trains the trainable parameters by plain gradient descent.
void Descend(models::LanguageModel& model, int steps, double rate) {
  for (int step = 0; step < steps; ++step) {
    for (Param* param : models::TrainableParameters(model)) param->grad = Tensor();
    Backpropagate(model);
    for (Param* param : models::TrainableParameters(model)) {
      for (Index i = 0; i < param->value.size(); ++i) param->value[i] -= static_cast<Real>(rate) * param->grad[i];
    }
  }
}

// With K = d, B is orthogonal: S ← S − lr·dW·Bᵀ moves W = S·B + C by −lr·dW·BᵀB = −lr·dW.
TEST(AmplitudeTraining, FullBasisAndGradientDescentEqualFullTraining) {
  const auto base = TinyGpt(7);
  const auto basis = BlocksBasis(*base, base->width());
  for (const Start start : {Start::kReconstructed, Start::kExact}) {
    for (const std::string name : {"h.0.attn.c_attn.weight", "h.1.mlp.c_proj.weight"}) {
      const auto full = base->Clone(), amplitude = base->Clone();
      models::SetTrainable(*full, false);
      models::SetTrainable(*amplitude, false);
      FindMatrix(*full, name)->form->Part("weight").trainable = true;
      for (const RowSource& source : BlockRows(*amplitude)) {
        if (source.matrix->name == name) UseAmplitude({source}, basis, start);
      }
      Descend(*full, 4, 0.5);
      Descend(*amplitude, 4, 0.5);
      const Tensor w0 = FindMatrix(*base, name)->form->Merged().Widened();
      const Tensor wf = FindMatrix(*full, name)->form->Merged().Widened(),
                   wa = FindMatrix(*amplitude, name)->form->Merged().Widened();
      double moved = 0, apart = 0;
      for (Index i = 0; i < w0.size(); ++i) {
        moved = std::max(moved, std::abs(static_cast<double>(wf[i]) - w0[i]));
        const double difference = std::abs(static_cast<double>(wa[i]) - wf[i]);
        if (!(difference <= apart)) apart = difference;
      }
      EXPECT_GT(moved, 0.01) << name;
      EXPECT_LE(apart, 64 * kEpsilon) << name << ", start " << ToString(start);
    }
  }
}

}  // namespace
}  // namespace ampgrad::ct
