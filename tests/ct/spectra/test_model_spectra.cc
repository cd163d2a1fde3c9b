#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "ct/spectra/model_spectra.h"
#include "tensor/random.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// Whole measurements: of structure that was planted, and of none.
namespace ampgrad::ct {
namespace {

constexpr Index kWidth = 24, kLayers = 7;

// A model's matrices of pure noise: three kinds in each layer, and an embedding.
class NoiseModel {
 public:
  explicit NoiseModel(uint64_t seed) {
    for (Index layer = 0; layer < kLayers; ++layer) {
      for (const auto& [kind, rows] : {std::pair<const char*, Index>{"q", 24}, {"up", 64}, {"down", 64}}) {
        const std::string name = "layers." + std::to_string(layer) + "." + kind + ".weight";
        matrices_.push_back(MakeMatrix(name, ops::Layout::kOutIn, Draw(rows, seed)));
      }
    }
    embedding_ = MakeMatrix("embed.weight", ops::Layout::kOutIn, Draw(50, seed), nn::MatrixKind::kVocabulary);
  }

  Tensor Values(Index layer, size_t kind) { return matrices_[3 * layer + kind]->form->Part("weight").value; }
  ModelSpectra Measure(SpectraOptions options = {.ks = {4, 8}}) {
    std::vector<RowSource> sources;
    for (const auto& matrix : matrices_) sources.push_back(SourceOf(*matrix));
    options.embedding = embedding_.get();
    return MeasureSpectra(sources, options);
  }

 private:
  Tensor Draw(Index rows, uint64_t seed) { return Random(seed, stream_++).NormalTensor({rows, kWidth}, 0.02); }

  uint64_t stream_ = 0;
  std::vector<std::unique_ptr<nn::Matrix>> matrices_;
  std::unique_ptr<nn::Matrix> embedding_;
};

// What chance alone gives: 5 of 100 figures beyond their level, and none after the correction.
TEST(ModelSpectra, NoiseIsNotCalledStructure) {
  int tested = 0, exceeding = 0, clean = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    ModelSpectra spectra = NoiseModel(seed).Measure();
    int marked = 0;
    for (const Figure* figure : spectra.Figures()) {
      tested += figure->tested();
      exceeding += figure->tested() && figure->Exceeds();
      marked += figure->marked;
    }
    clean += marked == 0;
  }
  EXPECT_GT(tested, 5 * 300);
  const double part = static_cast<double>(exceeding) / tested;
  EXPECT_GE(part, 0.02);
  EXPECT_LE(part, 0.08);
  EXPECT_GE(clean, 4);
}

TEST(ModelSpectra, FindsAMatrixOfRankOne) {
  NoiseModel model(1);
  Tensor planted = model.Values(2, 1);
  for (Index r = 1; r < planted.rows(); ++r) {
    for (Index j = 0; j < kWidth; ++j) planted.row(r)[j] = planted.row(0)[j] * static_cast<Real>(0.2 * (r % 9) - 0.7);
  }
  const ModelSpectra spectra = model.Measure();
  for (const MatrixSpectra& matrix : spectra.matrices) {
    const bool is_planted = matrix.name == "layers.2.up.weight";
    EXPECT_EQ(matrix.weight_pr.marked, is_planted) << matrix.name;
    if (!is_planted) continue;
    EXPECT_NEAR(matrix.weight_pr.value, 1, 1e-6);
    EXPECT_TRUE(matrix.by_k.at(8).amplitude_pr.marked);
    EXPECT_TRUE(matrix.by_k.at(8).max_corr.marked);
    EXPECT_TRUE(matrix.by_k.at(8).r2.marked);
  }
}

TEST(ModelSpectra, FindsALayerThatIsTwiceAsStrong) {
  NoiseModel model(2);
  for (size_t kind = 0; kind < 3; ++kind) {
    Tensor values = model.Values(3, kind);
    for (Real& x : values) x *= 2;
  }
  for (const LayerSpectra& layer : model.Measure().layers) {
    EXPECT_EQ(layer.strength.marked && layer.strength.value > 1, layer.layer == 3) << layer.layer;
  }
}

// The deeper the layer, the more of its rows is noise.
TEST(ModelSpectra, FindsSpectraInTheOrderOfDepth) {
  NoiseModel model(3);
  for (Index layer = 0; layer < kLayers; ++layer) {
    for (size_t kind = 0; kind < 3; ++kind) {
      Tensor values = model.Values(layer, kind);
      for (Index r = 0; r < values.rows(); ++r) {
        for (Index j = 0; j < 3; ++j) values.row(r)[j] *= static_cast<Real>(1 + 0.5 * (kLayers - layer));
      }
    }
  }
  const ModelSpectra spectra = model.Measure();
  for (const auto& [name, tau] : spectra.depth) {
    EXPECT_GE(tau.value, 0.7) << name;
    EXPECT_TRUE(tau.Exceeds()) << name;
  }
  EXPECT_EQ(spectra.depth.at("layer stacked").value, 1);
  EXPECT_NEAR(spectra.depth.at("layer stacked").p, 2.0 / 5040, 1e-9);
}

// λ(S) = λ₁…λ_K of the rows when the basis is theirs, whatever the scores are; by another basis it is not.
TEST(ModelSpectra, TheAmplitudePrOfAllScoresIsTheWeightsAlone) {
  NoiseModel model(4);
  const ModelSpectra universal = model.Measure({.ks = {1, 4, 8}, .nulls = false});
  for (const auto& [k, figures] : universal.by_k) {
    EXPECT_NEAR(figures.amplitude_pr / figures.spectrum_pr, 1, 1e-6) << k;
    EXPECT_NEAR(figures.r2.value / figures.variance_captured, 1, 1e-6) << k;
    EXPECT_FALSE(figures.r2.tested());
  }
  const ModelSpectra random = model.Measure({.ks = {8}, .basis = BasisKind::kRandom, .nulls = false});
  EXPECT_GT(std::abs(random.by_k.at(8).amplitude_pr / random.by_k.at(8).spectrum_pr - 1), 1e-3);
  EXPECT_LT(random.by_k.at(8).r2.value, random.by_k.at(8).variance_captured);
  const ModelSpectra own = model.Measure({.ks = {8}, .basis = BasisKind::kMatrix, .nulls = false});
  EXPECT_GT(own.by_k.at(8).r2.value, own.by_k.at(8).variance_captured);
}

TEST(ModelSpectra, HasTheSameBitsForAnyNumberOfThreads) {
  ModelSpectra one = NoiseModel(5).Measure();
  SetNumThreads(3);
  ModelSpectra three = NoiseModel(5).Measure();
  SetNumThreads(1);
  const std::vector<Figure*> a = one.Figures(), b = three.Figures();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::memcmp(&a[i]->value, &b[i]->value, sizeof(double)), 0);
    EXPECT_EQ(std::memcmp(&a[i]->p, &b[i]->p, sizeof(double)), 0);
  }
}

TEST(ModelSpectra, RefusesABasisWithoutPrefixes) {
  ExpectMessage<std::invalid_argument>(
      [] { NoiseModel(6).Measure({.ks = {4}, .basis = BasisKind::kRotated, .nulls = false}); },
      "[spectra] expected a basis whose first vectors are those of a smaller K: universal, bottom, random, type, "
      "matrix "
      "or minor, found rotated");
}

}  // namespace
}  // namespace ampgrad::ct
