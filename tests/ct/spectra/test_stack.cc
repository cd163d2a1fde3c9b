#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ct/singular.h"
#include "ct/spectra/alignment.h"
#include "ct/spectra/null_stack.h"
#include "ct/spectra/spectrum.h"
#include "tensor/random.h"
#include "tests/reference/numbers.h"
#include "tests/support/expect_message.h"

namespace ampgrad::ct {
namespace {

// Parts of normal rows; those of layer 1 lie near a line.
struct Rows {
  std::vector<StackPart> parts = {{40, 0, 1}, {30, 0, 1}, {50, 1, 2}};
  std::vector<Tensor> matrices;
  RowsOf rows_of = [this](size_t part, Index begin, Index end) { return matrices[part].Rows(begin, end); };

  explicit Rows(Index d) {
    for (size_t i = 0; i < parts.size(); ++i) matrices.push_back(Random(i, 0).NormalTensor({parts[i].rows, d}, 1));
    for (Index r = 0; r < 50; ++r) matrices[2].row(r)[0] *= 4;
  }
};

// λ of rows about their own mean, one entry after another in double.
std::vector<double> CovarianceOf(const std::vector<const Tensor*>& matrices) {
  const Index d = matrices[0]->cols();
  std::vector<double> mean(d), gram(d * d);
  double n = 0;
  for (const Tensor* m : matrices) {
    for (Index r = 0; r < m->rows(); ++r) {
      for (Index j = 0; j < d; ++j) mean[j] += m->row(r)[j];
    }
    n += static_cast<double>(m->rows());
  }
  for (const Tensor* m : matrices) {
    for (Index r = 0; r < m->rows(); ++r) {
      for (Index i = 0; i < d * d; ++i) {
        gram[i] += (m->row(r)[i / d] - mean[i / d] / n) * (m->row(r)[i % d] - mean[i % d] / n);
      }
    }
  }
  return gram;
}

double PrOf(const std::vector<double>& gram, Index d) {
  double trace = 0, squares = 0;
  for (Index i = 0; i < d * d; ++i) {
    trace += i / d == i % d ? gram[i] : 0;
    squares += gram[i] * gram[i];
  }
  return trace * trace / squares;
}

TEST(Stack, FiguresAreThoseOfTheDefinitions) {
  constexpr Index kWidth = 12;
  const Rows rows(kWidth);
  for (const bool precise : {true, false}) {
    const double rounding = precise ? 1e-12 : 1e-5;
    const StackSpectra spectra = MeasureStack(rows.parts, rows.rows_of, kWidth, 5, precise);
    const auto& m = rows.matrices;
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(spectra.matrix_pr[i] / PrOf(CovarianceOf({&m[i]}), kWidth), 1, rounding);
    }
    EXPECT_NEAR(spectra.layer_pr.at(0) / PrOf(CovarianceOf({&m[0], &m[1]}), kWidth), 1, rounding);
    EXPECT_NEAR(spectra.layer_pr.at(1) / PrOf(CovarianceOf({&m[2]}), kWidth), 1, rounding);
    // The rows of the third part count twice.
    const double pr = PrOf(CovarianceOf({&m[0], &m[1], &m[2], &m[2]}), kWidth);
    EXPECT_NEAR(ParticipationRatio(spectra.basis.eigenvalues) / pr, 1, rounding);
    EXPECT_EQ(spectra.basis.rows, 170);
    double trace = 0;
    for (size_t i = 0; i < 3; ++i) {
      trace += rows.parts[i].repeats * spectra.matrix_square[i];
      EXPECT_NEAR(
          std::accumulate(spectra.row_squares[i].begin(), spectra.row_squares[i].end(), 0.0) / spectra.matrix_square[i],
          1, rounding);
    }
    EXPECT_NEAR(std::accumulate(spectra.basis.eigenvalues.begin(), spectra.basis.eigenvalues.end(), 0.0) / trace, 1,
                rounding);
  }
}

TEST(Stack, ScoresArePrefixesAndMatchTheBasis) {
  const Rows rows(12);
  const StackSpectra spectra = MeasureStack(rows.parts, rows.rows_of, 12, 5, true);
  const Columns scores = ScoreColumns(rows.parts[0], 0, rows.rows_of, spectra);
  const Tensor expected = Scores(rows.matrices[0], spectra.basis);
  for (Index r = 0; r < 40; ++r) {
    for (Index c = 0; c < 5; ++c) EXPECT_NEAR(scores[c][r], expected.row(r)[c], 1e-5);
  }
}

TEST(Stack, RefusesWhatHasNoRows) {
  ExpectMessage<std::invalid_argument>(
      [] {
        MeasureStack(
            {}, [](size_t, Index, Index) { return Tensor(); }, 4, 2, true);
      },
      "[spectra] the model has no matrix with rows of its width");
  const Rows rows(12);
  ExpectMessage<std::invalid_argument>([&] { MeasureStack(rows.parts, rows.rows_of, 12, 13, true); },
                                       "[spectra] expected K in 1..12 (the model's width), found 13");
}

// Gaussian rows have nearly equal norms, so that the closed form of independent numbers is within 1 %.
TEST(StackNull, IsThatOfIndependentNumbers) {
  constexpr Index kWidth = 64;
  std::vector<StackPart> parts = {{600, 0, 1}, {200, 1, 1}};
  std::vector<Tensor> matrices = {Random(1, 0).NormalTensor({600, kWidth}, 1),
                                  Random(2, 0).NormalTensor({200, kWidth}, 1)};
  const RowsOf rows_of = [&](size_t part, Index begin, Index end) { return matrices[part].Rows(begin, end); };
  const StackSpectra spectra = MeasureStack(parts, rows_of, kWidth, 8, true);
  const StackNull null = DrawStackNull(parts, spectra, {4, 8}, 5);
  EXPECT_EQ(null.draws, 200);
  std::vector<double> pr, share;
  for (const std::vector<double>& eigenvalues : null.eigenvalues) {
    pr.push_back(ParticipationRatio(eigenvalues));
    share.push_back(TopShare(eigenvalues, 8));
  }
  EXPECT_NEAR(Mean(pr) / IidParticipationRatio(800, kWidth), 1, 0.01);
  EXPECT_NEAR(Mean(null.matrix_pr[1]) / IidParticipationRatio(200, kWidth), 1, 0.01);
  EXPECT_NEAR(Mean(null.layer_pr.at(0)) / IidParticipationRatio(600, kWidth), 1, 0.01);
  EXPECT_NEAR(Mean(null.matrix_r2[0][1]), Mean(share), 0.01);
  EXPECT_NEAR(Mean(share), TopShare(spectra.basis.eigenvalues, 8), 0.02);

  // Without draws of rows: the formula for a matrix, and the spectrum from Wishart matrices.
  for (size_t i = 0; i < 2; ++i) {
    const Figure figure = AgainstRandomDirections(1, spectra.row_squares[i], kWidth);
    EXPECT_NEAR(figure.null / Mean(null.matrix_pr[i]), 1, 2e-3) << i;
    double squares = 0;
    for (const double x : null.matrix_pr[i]) squares += std::pow(x - Mean(null.matrix_pr[i]), 2) / 199;
    EXPECT_NEAR((figure.null - figure.level) / 1.6449 / std::sqrt(squares), 1, 0.25) << i;
  }
  const StackNull wishart = DrawStackNull(parts, spectra, {4, 8}, 5, 0);
  EXPECT_FALSE(wishart.drawn_rows);
  EXPECT_NEAR(ParticipationRatio(wishart.eigenvalues[0]) / Mean(pr), 1, 0.02);
  EXPECT_NEAR(TopShare(wishart.eigenvalues[0], 8), Mean(share), 0.01);
}

TEST(Alignment, ComparesFramesWithDirections) {
  constexpr Index kWidth = 40, kFrame = 4;
  const Tensor frame = RandomOrthonormal(kFrame, kWidth, 1, 0);
  const std::vector<double> own = FrameProducts(frame, frame);
  EXPECT_NEAR(SubspaceOverlap(own, kFrame), 1, 1e-6);
  EXPECT_NEAR(MeanMaxCosine(own, kFrame), 1, 1e-6);
  const std::vector<double> apart = FrameProducts(frame, RandomOrthonormal(kFrame, kWidth, 2, 0));
  const AlignmentDraws draws = DrawAlignment(apart, kFrame, kWidth, 400, 3);
  EXPECT_NEAR(Mean(draws.subspace_overlap), kFrame / 40.0, 0.005);
  // A frame inside the span keeps its overlap, so its cosines stay below that of the best direction.
  for (const double cosine : draws.within_span) EXPECT_LE(cosine, std::sqrt(kFrame * SubspaceOverlap(apart, kFrame)));
  // In R^8, the largest of the cosines of a unit vector with 8 orthonormal directions is 0.650 on average.
  EXPECT_NEAR(Mean(DrawAlignment(std::vector<double>(64), 8, 8, 400, 3).mean_max_cosine), 0.650, 0.005);
}

}  // namespace
}  // namespace ampgrad::ct
