#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "ct/spectra/model_spectra.h"
#include "ct/spectra/spectrum.h"

/// Figures of a model that does not exist, for what shows them.
namespace ampgrad::train {

struct SpectraExample {
  Index layers = 3, width = 16;
  std::vector<std::string> kinds = {"attn.q.weight", "mlp.up.weight"};
  std::vector<Index> ks = {2, 8};
  bool nulls = true;
};

namespace example {

// A figure of this value, above a null of 0.8 of it; every fourth survives.
inline ct::Figure MakeFigure(double value, int& count, bool nulls) {
  if (!nulls) return ct::Untested(value);
  const bool marked = ++count % 4 == 0;
  return {.value = value, .null = 0.8 * value, .level = 0.9 * value, .p = marked ? 1e-9 : 0.03, .marked = marked};
}

inline ct::MatrixSpectra MakeMatrix(const SpectraExample& example, const std::string& kind, Index layer, int& count) {
  ct::MatrixSpectra matrix{};
  matrix.type = kind;
  matrix.name = "layers." + std::to_string(layer) + "." + kind;
  matrix.layer = layer;
  matrix.rows = 40 + layer;
  const double base = 1 + std::sin(static_cast<double>(count)) / 2;
  const auto figure = [&](double value) { return MakeFigure(value * base, count, example.nulls); };
  matrix.weight_pr = figure(9);
  matrix.strength = figure(1.2);
  matrix.iid_pr = 11;
  for (const Index k : example.ks) {
    matrix.by_k[k] = {figure(0.3), figure(1.7), figure(0.4), figure(0.5), figure(3), figure(0.35), k};
  }
  double total = 0;
  for (int i = 0; i < ct::kHistogramBins; ++i) {
    const double x = (i - 15.5) / 4 / base;
    matrix.histogram.push_back(std::exp(-x * x / 2));
    total += matrix.histogram.back();
  }
  for (double& share : matrix.histogram) share /= total;
  return matrix;
}

}  // namespace example

inline ct::ModelSpectra MakeSpectra(const SpectraExample& example = {}) {
  ct::ModelSpectra s{};
  int count = 0;
  const auto figure = [&](double value) { return example::MakeFigure(value, count, example.nulls); };
  s.rows = 400;
  s.width = example.width;
  for (Index i = 0; i < s.width; ++i) {
    s.eigenvalues.push_back(900 / std::pow(static_cast<double>(i + 1), 1.3));
    if (example.nulls) s.null_eigenvalues.push_back(180 - 6 * 16.0 * static_cast<double>(i) / s.width);
  }
  s.edge = 150;
  s.weight_pr = figure(4);
  s.share_above_edge = figure(0.6);
  s.iid_pr = 15.3;
  s.n95_weights = 12;
  s.stack_draws = example.nulls ? 200 : 0;
  s.drawn_rows = example.nulls;
  for (Index layer = 0; layer < example.layers; ++layer) {
    for (const std::string& kind : example.kinds) {
      s.matrices.push_back(example::MakeMatrix(example, kind, layer, count));
    }
    s.layers.push_back({layer, 9, figure(1.1), figure(5 + static_cast<double>(layer))});
  }
  for (const Index k : example.ks) {
    ct::KFigures& f = s.by_k[k];
    f.r2 = figure(ct::TopShare(s.eigenvalues, k));
    f.variance_captured = f.r2.value;
    f.random_level = static_cast<double>(k) / static_cast<double>(s.width);
    f.amplitude_pr = f.spectrum_pr = std::sqrt(static_cast<double>(k));
    f.pc1 = 0.4;
    f.n95 = k;
    f.scores = s.rows * k;
    f.subspace_overlap = figure(0.5);
    f.mean_max_cosine = figure(0.4);
    f.cosine_within_span = 0.3;
    f.cosine_within_level = 0.35;
  }
  s.depth["layer stacked"] = {.value = 0.6, .null = 0, .p = example.nulls ? 0.23 : ct::kNone};
  s.depth["layer mean"] = {.value = 0, .null = 0, .p = example.nulls ? 1 : ct::kNone};
  return s;
}

}  // namespace ampgrad::train
