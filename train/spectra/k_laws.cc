#include "train/spectra/k_laws.h"

#include <algorithm>
#include <cmath>

#include "ct/spectra/spectrum.h"
#include "ct/spectra/statistics.h"

namespace ampgrad::train {
namespace {

double ShareAt(const ct::ModelSpectra& spectra, double k) {
  const Index rounded = std::clamp<Index>(std::llround(k), 1, spectra.width);
  return ct::TopShare(spectra.eigenvalues, rounded);
}

// Least squares of log pr on log K.
PowerFit Fit(const std::vector<std::pair<Index, double>>& points) {
  PowerFit fit{ct::kNone, ct::kNone, ct::kNone, 0, 0, static_cast<int>(points.size())};
  if (points.empty()) return fit;
  fit.first = points.front().first;
  fit.last = points.back().first;
  if (points.size() < 3) return fit;
  const double n = static_cast<double>(points.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, residual = 0;
  for (const auto& [k, pr] : points) {
    mean_x += std::log(static_cast<double>(k)) / n;
    mean_y += std::log(pr) / n;
  }
  for (const auto& [k, pr] : points) {
    const double x = std::log(static_cast<double>(k)) - mean_x;
    xx += x * x;
    xy += x * (std::log(pr) - mean_y);
  }
  fit.exponent = xy / xx;
  for (const auto& [k, pr] : points) {
    const double x = std::log(static_cast<double>(k)) - mean_x;
    residual += std::pow(std::log(pr) - mean_y - fit.exponent * x, 2);
  }
  const double error = std::sqrt(residual / (n - 2) / xx), t = ct::StudentPoint(0.025, n - 2);
  fit.low = fit.exponent - t * error;
  fit.high = fit.exponent + t * error;
  return fit;
}

}  // namespace

KScaling ScaleK(const ct::ModelSpectra& spectra) {
  KScaling scaling;
  const double d = static_cast<double>(spectra.width);
  for (const auto& [law, k] : {std::pair<const char*, double>{"K = d/32, S68's least and S78's best", d / 32},
                               {"K = d/16, S68's most", d / 16},
                               {"K = d^0.6, S76", std::pow(d, 0.6)},
                               {"K_min = d/128, S78", d / 128}}) {
    scaling.laws.push_back({law, k, ShareAt(spectra, k)});
  }
  for (const double level : {0.1, 0.25, 0.5, 0.75, 0.9, 0.95}) {
    Index k = 1;
    while (k < spectra.width && ct::TopShare(spectra.eigenvalues, k) < level) ++k;
    scaling.needed.push_back({level, k, static_cast<double>(k) / d});
  }
  std::vector<std::pair<Index, double>> of_spectrum, of_matrices;
  for (Index k = 2; k <= spectra.width / 2; k *= 2) {
    const auto top = spectra.eigenvalues.begin();
    of_spectrum.emplace_back(k, ct::ParticipationRatio(std::vector<double>(top, top + k)));
  }
  for (const auto& [k, figures] : spectra.by_k) {
    double sum = 0;
    for (const ct::MatrixSpectra& matrix : spectra.matrices) sum += matrix.by_k.at(k).amplitude_pr.value;
    of_matrices.emplace_back(k, sum / static_cast<double>(spectra.matrices.size()));
  }
  scaling.spectrum = Fit(of_spectrum);
  scaling.matrices = Fit(of_matrices);
  return scaling;
}

}  // namespace ampgrad::train
