#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

#include "ct/singular.h"
#include "nn/forms/low_rank.h"
#include "tensor/random.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "train/methods/bases.h"
#include "train/study/measures/cut_scores.h"
#include "train/study/measures/lora_overlap.h"
#include "train/study/measures/written_scores.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

constexpr double kFiguresApart = sizeof(Real) == sizeof(double) ? 1e-10 : 1e-4;

std::vector<Batch> SomeBatches() { return {{6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)}}; }

ct::Basis InnerBasis(models::LanguageModel& model, Index k) {
  return ct::ComputeBasis(ct::SelectRows(MatricesInScope(model, {}), model.width(), ct::RowsPolicy::kBlocks), k);
}

// Gives every matrix that reads rows of the model's width an update of these A, and B = 0.
void UseA(models::LanguageModel& model, const Tensor& a) {
  for (nn::Matrix* matrix : MatricesInScope(model, {})) {
    if (matrix->in != a.cols()) continue;
    matrix->form =
        std::make_unique<nn::LowRank>(matrix->Base(), nn::Factors{a.Clone(), Tensor({matrix->out, a.rows()})},
                                      nn::TrainedFactors::kBoth, nn::Chain::kFactored);
  }
}

TEST(LoraOverlap, IsOneInsideTheBasisAndNoneOutside) {
  const auto model = TinyGpt(3);
  const Index d = model->width();
  const Tensor frame = ct::RandomOrthonormal(6, d, 5, 1);
  ct::Basis basis = InnerBasis(*model, 3);
  const auto rows = [&](Index first) {
    Tensor a = Tensor::Uninitialized({3, d});
    std::copy(frame.row(first), frame.row(first) + 3 * d, a.begin());
    return a;
  };
  basis.vectors = rows(0);
  // Neither the length of the rows nor a turn among them matters, as the space is the same.
  Tensor mixed = rows(0);
  for (Index c = 0; c < d; ++c) {
    mixed.row(0)[c] = Real(3) * mixed.row(0)[c] + Real(2) * mixed.row(1)[c];
    mixed.row(2)[c] *= Real(0.125);
  }
  UseA(*model, mixed);
  EXPECT_NEAR(LoraOverlap(*model, {}, basis), 1, kFiguresApart);
  UseA(*model, rows(3));
  EXPECT_NEAR(LoraOverlap(*model, {}, basis), 0, kFiguresApart);
  UseA(*model, rows(2));  // one of three
  EXPECT_NEAR(LoraOverlap(*model, {}, basis), 1.0 / 3, kFiguresApart);
  EXPECT_TRUE(std::isnan(LoraOverlap(*TinyGpt(3), {}, basis)));
}

// The mean over random spaces is r/d.
TEST(LoraOverlap, ByChanceIsTheShareOfTheWidth) {
  const auto model = TinyGpt(3);
  const ct::Basis basis = InnerBasis(*model, 4);
  double sum = 0, squares = 0;
  constexpr int kDraws = 200;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    UseA(*model, Random(draw, 9).NormalTensor({4, model->width()}, 1));
    const double share = LoraOverlap(*model, {}, basis);
    sum += share;
    squares += share * share;
  }
  const double mean = sum / kDraws, error = std::sqrt((squares / kDraws - mean * mean) / kDraws);
  EXPECT_NEAR(mean, 4.0 / static_cast<double>(model->width()), 4 * error);
}

// Scores that lie on a line lose nothing; all others lose what the identity W − (S − S₁)·B, written out, does.
TEST(CutScores, CostNothingWhereScoresLieOnALine) {
  const auto model = TinyGpt(3);
  const auto sources = ct::SelectRows(MatricesInScope(*model, {}), model->width(), ct::RowsPolicy::kBlocks);
  const std::string planted = sources[0].matrix->name;
  ct::Basis basis = InnerBasis(*model, 4);
  Tensor& weight = sources[0].matrix->form->Part("weight").value;  // [in, out]: the rows are its columns
  const Index d = model->width(), n = sources[0].rows;
  for (Index r = 0; r < n; ++r) {
    const double at = std::sin(static_cast<double>(r));
    for (Index c = 0; c < d; ++c) {
      weight.row(c)[r] =
          static_cast<Real>(basis.mean[c] + at * (2 * basis.vectors.row(1)[c] - basis.vectors.row(3)[c]));
    }
  }
  const double whole = Evaluate(*model, SomeBatches());
  const std::vector<CutScores> cuts = CutEachMatrix(*model, {}, ct::RowsPolicy::kBlocks, basis, 4, SomeBatches());
  ASSERT_EQ(cuts.size(), sources.size());
  EXPECT_EQ(cuts[0].matrix, planted);
  EXPECT_NEAR(cuts[0].pr, 1, kFiguresApart);
  EXPECT_NEAR(cuts[0].rise, 0, kFiguresApart);
  EXPECT_GT(cuts[1].pr, 1.5);
  EXPECT_GT(std::abs(cuts[1].rise), 1e-3);
  EXPECT_EQ(Evaluate(*model, SomeBatches()), whole);  // the model is as it was
}

TEST(WrittenScores, GiveTheTunedModelAndAreWeighedInFull) {
  const auto base = TinyGpt(3);
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    const auto model = TinyGpt(3);
    Arm arm;
    arm.name = "scores";
    arm.method = {.method = "amplitude", .k = 3, .start = start};
    Prepare(*model, arm.method, MakeBases(*model, arm.method, {}, {}));
    for (Param* param : models::TrainableParameters(*model)) {
      for (Real& x : param->value) x = static_cast<Real>(static_cast<float>(x) + 0.125f);
    }
    const TempDir directory;
    const WrittenFile file = WeighScores(*base, *model, arm, SomeBatches(), directory.path());
    EXPECT_NEAR(file.loss, Evaluate(*model, SomeBatches()), 1e-5);
    EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
    EXPECT_EQ(file.arm, "scores");

    const Index d = base->width(), parameters = models::CountParameters(*base);
    Index rows = 0, matrices = 0;
    for (const nn::Matrix* matrix : MatricesInScope(*base, {})) {
      rows += matrix->out * matrix->in / d;
      matrices += matrix->out * matrix->in;
    }
    EXPECT_EQ(file.model, 4 * parameters);
    EXPECT_EQ(file.basis, 4 * (3 + 1) * d);
    EXPECT_EQ(file.frozen, 4 * (parameters - matrices));
    EXPECT_GE(file.scores, 4 * 3 * rows + file.basis);
  }
}

}  // namespace
}  // namespace ampgrad::train
