#include "train/study/measures/cut_scores.h"

#include <memory>
#include <utility>

#include "ct/amplitude.h"
#include "ct/spectra/score_sums.h"
#include "tensor/kernels/eigen/eigen.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

// S₁ − S [n, K]: what is lost of each row, along the principal components beyond the first.
Tensor LostScores(const Tensor& scores, const ct::ScoreSums& sums) {
  const Index k = scores.cols();
  const SymmetricEigen eigen = DecomposeSymmetric(ct::LeadingCovariance(sums, k), k, 1);
  Tensor lost = Tensor::Uninitialized(scores.shape());
  std::vector<double> centred(k);
  for (Index r = 0; r < scores.rows(); ++r) {
    double along = 0;
    for (Index c = 0; c < k; ++c) {
      centred[c] = static_cast<double>(scores.row(r)[c]) - sums.powers[0][c] / static_cast<double>(sums.rows);
      along += centred[c] * eigen.vectors[c];
    }
    for (Index c = 0; c < k; ++c) lost.row(r)[c] = static_cast<Real>(along * eigen.vectors[c] - centred[c]);
  }
  return lost;
}

}  // namespace

std::vector<CutScores> CutEachMatrix(models::LanguageModel& base, const Scope& scope, ct::RowsPolicy rows,
                                     const ct::Basis& basis, Index k, const std::vector<Batch>& held_out) {
  const auto cut_basis = std::make_shared<const ct::Basis>(ct::Truncated(basis, k));
  const auto setup = std::make_shared<const ct::AmplitudeSetup>(cut_basis, ct::Start::kExact, nn::Chain::kFactored);
  const double whole = Evaluate(base, held_out);
  const std::unique_ptr<models::LanguageModel> model = base.Clone();
  std::vector<CutScores> cuts;
  for (const ct::RowSource& source : ct::SelectRows(MatricesInScope(*model, scope), model->width(), rows)) {
    const Tensor scores = ct::Scores(ct::ReadRows(source), *cut_basis);
    const ct::ScoreSums sums = ct::SumScores(source, *cut_basis);
    auto cut = std::make_unique<ct::Amplitude>(source, setup, LostScores(scores, sums));
    std::unique_ptr<nn::WeightForm> given = std::exchange(source.matrix->form, std::move(cut));
    cuts.push_back({source.matrix->name, ct::FiguresOf(sums, k).amplitude_pr, Evaluate(*model, held_out) - whole});
    source.matrix->form = std::move(given);
  }
  return cuts;
}

}  // namespace ampgrad::train
