#include "train/analysis/spectra_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ct/spectra/model_spectra.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"

namespace ampgrad::train {
namespace {

constexpr double kSpectraBound = sizeof(Real) == 4 ? 1e-6 : 1e-10;
constexpr double kAlignmentBound = sizeof(Real) == 4 ? 1e-5 : 1e-9;

// The values of K that the file has.
std::vector<Index> Ks(const io::JsonValue& by_k, Index width) {
  std::vector<Index> ks;
  for (const auto& [key, value] : by_k.json().items()) ks.push_back(std::stoll(key));
  std::sort(ks.begin(), ks.end());
  if (ks.empty() || ks.front() < 1 || ks.back() > width) by_k.Fail("keys in 1.." + std::to_string(width));
  return ks;
}

// The kurtosis of the leading k columns, each times its sign.
double KurtosisWith(const std::vector<double>& signs, const ct::ScoreSums& sums, Index k) {
  double powers[4] = {};
  for (int p = 0; p < 4; ++p) {
    for (Index c = 0; c < k; ++c) powers[p] += (p % 2 == 0 ? signs[c] : 1) * sums.powers[p][c];
  }
  return ct::ExcessKurtosis(static_cast<double>(sums.rows * k), powers);
}

// The name of a matrix in the file, which may carry the checkpoint's prefix.
std::string StoredName(const io::JsonValue& matrices, const std::string& prefix, const std::string& name) {
  return matrices.json().contains(prefix + name) ? prefix + name : name;
}

// No definition fixes the signs of eigenvectors, yet the mean of all scores, and with it their kurtosis, depends on
// them. So the signs of the reference are found first: one for each vector, the same for all matrices and every K, as
// near as they can be to its kurtosis. Far fewer signs than figures remain to be chosen.
std::vector<double> ReferenceSigns(const ct::ModelSpectra& own, const io::JsonValue& by_k, const std::string& prefix) {
  constexpr Index kMostOpen = 16;
  std::vector<double> signs;
  for (const auto& [k, figures] : own.by_k) {
    const io::JsonValue matrices = by_k.Field(std::to_string(k)).Field("matrices");
    std::vector<double> reference;
    for (const ct::MatrixSpectra& matrix : own.matrices) {
      reference.push_back(matrices.Field(StoredName(matrices, prefix, matrix.name)).Field("kurtosis").Number());
    }
    const Index known = static_cast<Index>(signs.size()), open = std::min(kMostOpen, k - known);
    signs.resize(k, 1);
    std::vector<double> best = signs;
    double least = std::numeric_limits<double>::infinity();
    for (Index choice = 0; choice < Index{1} << open; ++choice) {
      for (Index c = 0; c < open; ++c) signs[known + c] = (choice >> c & 1) != 0 ? -1 : 1;
      double error = 0;
      for (size_t i = 0; i < reference.size() && error < least; ++i) {
        error = std::max(error, std::abs(KurtosisWith(signs, own.matrices[i].sums, k) - reference[i]));
      }
      if (error < least) best = signs;
      least = std::min(least, error);
    }
    signs = best;
  }
  return signs;
}

void CheckMatrix(const ct::MatrixSpectra& matrix, Index k, const std::vector<double>& signs, const std::string& name,
                 const io::JsonValue& json, Comparison& result) {
  const ct::MatrixScores& own = matrix.by_k.at(k);
  const auto check = [&](const char* key, double value, double bound = kSpectraBound) {
    const std::string group = bound == kSpectraBound ? "figures of matrices" : "figures of alignment";
    result.AddNumber(bound, group, name + ", K = " + std::to_string(k) + ", " + key, value, json.Field(key).Number());
  };
  check("n", static_cast<double>(matrix.rows));
  check("weight_pr", matrix.weight_pr.value);
  check("weight_pr_null", matrix.iid_pr);
  check("r2", own.r2.value);
  check("amplitude_pr", own.amplitude_pr.value);
  check("pc1", own.pc1.value);
  check("n95", static_cast<double>(own.n95));
  check("max_corr", own.max_corr.value);
  check("kurtosis", KurtosisWith(signs, matrix.sums, k));
  check("mean_max_cosine", own.mean_max_cosine.value, kAlignmentBound);
}

}  // namespace

void CheckSpectra(const std::filesystem::path& directory, models::LanguageModel& model, Comparison& result) {
  const std::filesystem::path file = directory / "analysis.json";
  if (!io::IsThere(file)) return;
  const nlohmann::json json = io::ReadJsonObject(file);
  const io::JsonValue reference(json, file.string());
  const io::JsonValue by_k = reference.Field("by_k");
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  const ct::ModelSpectra own = ct::MeasureSpectra(
      sources, {.ks = Ks(by_k, model.width()), .nulls = false, .embedding = ct::FindEmbedding(model.Parts().matrices)});

  const std::vector<double> signs = ReferenceSigns(own, by_k, model.CheckpointPrefix());
  const auto check = [&](const io::JsonValue& where, const std::string& prefix, const char* key, double value,
                         double bound = kSpectraBound) {
    const std::string group = bound == kSpectraBound ? "figures of the model" : "figures of alignment";
    result.AddNumber(bound, group, prefix + key, value, where.Field(key).Number());
  };
  check(reference, "", "rows", static_cast<double>(own.rows));
  check(reference, "", "width", static_cast<double>(own.width));
  check(reference, "", "weight_pr", own.weight_pr.value);
  check(reference, "", "weight_pr_null", own.iid_pr);
  check(reference, "", "n95_weights", static_cast<double>(own.n95_weights));
  std::vector<io::JsonValue> layers;
  for (const io::JsonValue& layer : reference.Field("layers").Items()) layers.push_back(layer);
  if (layers.size() != own.layers.size()) {
    reference.Field("layers").Fail("a list of " + std::to_string(own.layers.size()) + " layers");
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string prefix = "layer " + std::to_string(own.layers[i].layer) + ", ";
    check(layers[i], prefix, "layer", static_cast<double>(own.layers[i].layer));
    check(layers[i], prefix, "pr_mean", own.layers[i].pr_mean);
    check(layers[i], prefix, "pr_stacked", own.layers[i].pr_stacked.value);
  }
  for (const auto& [k, figures] : own.by_k) {
    const io::JsonValue of_k = by_k.Field(std::to_string(k));
    const std::string prefix = "K = " + std::to_string(k) + ", ";
    check(of_k, prefix, "r2", figures.r2.value);
    check(of_k, prefix, "variance_captured", figures.variance_captured);
    check(of_k, prefix, "random_level", figures.random_level);
    check(of_k, prefix, "amplitude_pr", figures.amplitude_pr);
    check(of_k, prefix, "pc1", figures.pc1);
    check(of_k, prefix, "n95", static_cast<double>(figures.n95));
    check(of_k, prefix, "scores", static_cast<double>(figures.scores));
    check(of_k, prefix, "subspace_overlap", figures.subspace_overlap.value, kAlignmentBound);
    check(of_k, prefix, "mean_max_cosine", figures.mean_max_cosine.value, kAlignmentBound);
    const io::JsonValue matrices = of_k.Field("matrices");
    for (const ct::MatrixSpectra& matrix : own.matrices) {
      const std::string name = StoredName(matrices, model.CheckpointPrefix(), matrix.name);
      CheckMatrix(matrix, k, signs, name, matrices.Field(name), result);
    }
  }
}

}  // namespace ampgrad::train
