#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ct/bases.h"
#include "ct/singular.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tensor/kernels/kernels.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

namespace ampgrad::ct {
namespace {

constexpr double kTolerance = sizeof(Real) == 4 ? 2e-6 : 1e-13;

std::vector<BasisGroup> Compute(BasisKind kind, models::LanguageModel& model, Index k) {
  return ComputeBases(kind, BlockRows(model), k, {}, 4);
}

// The largest |⟨x_i, y_j⟩ − [i = j and same]|.
double OffOrthonormal(const Tensor& x) {
  Tensor gram = Tensor::Uninitialized({x.rows(), x.rows()});
  kernels::ProductNT(x, x, {gram.data()});
  double worst = 0;
  for (Index i = 0; i < gram.size(); ++i) {
    worst = std::max(worst, std::abs(gram[i] - (i % (x.rows() + 1) == 0 ? 1.0 : 0.0)));
  }
  return worst;
}

// Σ of squares of the cosines between two orthonormal frames: K if they span the same space.
double Overlap(const Tensor& x, const Tensor& y) {
  Tensor cosines = Tensor::Uninitialized({x.rows(), y.rows()});
  kernels::ProductNT(x, y, {cosines.data()});
  return kernels::SumSquares(cosines.data(), cosines.size());
}

TEST(Bases, EveryKindIsOrthonormalAndServesEveryMatrixOnce) {
  const auto model = TinyGpt(3);
  const auto sources = BlockRows(*model);
  for (const std::string& name : BasisKindNames()) {
    if (name == "left" || name == "gradient") continue;
    SCOPED_TRACE(name);
    std::set<const nn::Matrix*> served;
    for (const BasisGroup& group : Compute(ParseBasisKind(name), *model, 4)) {
      EXPECT_EQ(group.basis->vectors.shape(), Shape({4, 16}));
      EXPECT_LE(OffOrthonormal(group.basis->vectors), kTolerance);
      for (const RowSource& source : group.sources) EXPECT_TRUE(served.insert(source.matrix).second);
    }
    EXPECT_EQ(served.size(), sources.size());
  }
}

TEST(Bases, AreWhatTheirNamesSay) {
  const auto model = TinyGpt(3);
  const auto vectors = [&](BasisKind kind) { return Compute(kind, *model, 4)[0].basis->vectors; };
  const Tensor top = vectors(BasisKind::kUniversal), bottom = vectors(BasisKind::kBottom);
  EXPECT_NEAR(Overlap(top, vectors(BasisKind::kRotated)), 4, 4 * kTolerance);
  EXPECT_LT(Overlap(top, vectors(BasisKind::kRandom)), 3);
  EXPECT_NEAR(Overlap(top, bottom), 0, kTolerance);
  EXPECT_EQ(Compute(BasisKind::kType, *model, 4).size(), 4u);
  EXPECT_EQ(Compute(BasisKind::kMatrix, *model, 4).size(), 8u);
  // R² of a matrix on its own top basis is at least that on any other of the same size; on its bottom one at most.
  for (const BasisGroup& own : Compute(BasisKind::kMatrix, *model, 4)) {
    const double best = RSquared(own.sources, *own.basis);
    Basis other = *own.basis;
    other.vectors = top;
    EXPECT_GT(best, RSquared(own.sources, other));
    other.vectors = bottom;
    EXPECT_GT(best, RSquared(own.sources, other));
  }
}

TEST(Bases, TypeIsWhatFollowsTheLayer) {
  EXPECT_EQ(TypeOf("h.3.attn.c_attn.weight"), "attn.c_attn.weight");
  EXPECT_EQ(TypeOf("model.layers.11.mlp.up_proj.weight"), "mlp.up_proj.weight");
  EXPECT_EQ(TypeOf("wte.weight"), "wte.weight");
}

TEST(Bases, RefusesAnUnknownWord) {
  ExpectMessage<std::invalid_argument>(
      [] { ParseBasisKind("best"); },
      "[basis] expected one of universal, bottom, random, rotated, type, matrix, minor, left, gradient, found 'best'");
}

// Against the definition: W·v = σ·u, orthonormal, and no other direction of the space has more, or less.
TEST(Singular, TripletsSatisfyTheDefinition) {
  for (const Shape shape : {Shape{12, 5}, Shape{5, 12}, Shape{7, 7}}) {
    SCOPED_TRACE(shape.ToString());
    const Tensor w = Random(1, 2).NormalTensor(shape, 1);
    const Index most = std::min(shape.rows(), shape.cols());
    const SingularTriplets all = ComputeSingular(w, most, Spectrum::kTop);
    EXPECT_LE(OffOrthonormal(all.left), 20 * kTolerance);
    EXPECT_LE(OffOrthonormal(all.right), 20 * kTolerance);
    double squares = 0;
    for (Index i = 0; i < most; ++i) {
      EXPECT_LE(all.values[i], all.values[i > 0 ? i - 1 : 0]);
      squares += all.values[i] * all.values[i];
      for (Index o = 0; o < shape.rows(); ++o) {
        double product = 0;
        for (Index j = 0; j < shape.cols(); ++j) product += static_cast<double>(w.row(o)[j]) * all.right.row(i)[j];
        EXPECT_NEAR(product, all.values[i] * all.left.row(i)[o], 20 * kTolerance);
      }
    }
    EXPECT_NEAR(squares, kernels::SumSquares(w.data(), w.size()), 50 * kTolerance * squares);
    const SingularTriplets bottom = ComputeSingular(w, 2, Spectrum::kBottom);
    EXPECT_NEAR(bottom.values[0], all.values[most - 1], 20 * kTolerance);
    EXPECT_NEAR(bottom.values[1], all.values[most - 2], 20 * kTolerance);
  }
}

TEST(Singular, AZeroMatrixHasZeroVectors) {
  const SingularTriplets none = ComputeSingular(Tensor({4, 3}), 2, Spectrum::kTop);
  EXPECT_EQ(none.values, (std::vector<double>{0, 0}));
  for (const Real x : none.left) EXPECT_EQ(x, 0);
  for (const Real x : none.right) EXPECT_EQ(x, 0);
}

TEST(RandomOrthonormal, FirstRowsAreTheSameForEveryK) {
  const Tensor few = RandomOrthonormal(3, 16, 1, 2), many = RandomOrthonormal(16, 16, 1, 2);
  EXPECT_TRUE(SameBits(few, many.Rows(0, 3)));
  EXPECT_LE(OffOrthonormal(many), kTolerance);
  EXPECT_FALSE(SameBits(few, RandomOrthonormal(3, 16, 2, 2)));
}

}  // namespace
}  // namespace ampgrad::ct
