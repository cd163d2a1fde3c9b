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

PowerFit Fit(const std::vector<double>& ks, const std::vector<double>& pr) {
  PowerFit fit{ct::kNone, ct::kNone, ct::kNone, 0, 0, static_cast<int>(ks.size())};
  if (ks.empty()) return fit;
  fit.first = std::llround(ks.front());
  fit.last = std::llround(ks.back());
  if (ks.size() < 3) return fit;
  const ct::LogFit line = ct::FitLogs(ks, pr);
  const double reach = ct::StudentPoint(0.025, static_cast<double>(ks.size() - 2)) * line.error;
  fit.exponent = line.slope;
  fit.low = line.slope - reach;
  fit.high = line.slope + reach;
  return fit;
}

}  // namespace

double MeanAmplitudePr(const ct::ModelSpectra& spectra, Index k) {
  double sum = 0;
  for (const ct::MatrixSpectra& matrix : spectra.matrices) sum += matrix.by_k.at(k).amplitude_pr.value;
  return sum / static_cast<double>(spectra.matrices.size());
}

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
  std::vector<double> powers, of_spectrum, measured, of_matrices;
  for (Index k = 2; k <= spectra.width / 2; k *= 2) {
    const auto top = spectra.eigenvalues.begin();
    powers.push_back(static_cast<double>(k));
    of_spectrum.push_back(ct::ParticipationRatio(std::vector<double>(top, top + k)));
  }
  for (const auto& [k, figures] : spectra.by_k) {
    measured.push_back(static_cast<double>(k));
    of_matrices.push_back(MeanAmplitudePr(spectra, k));
  }
  scaling.spectrum = Fit(powers, of_spectrum);
  scaling.matrices = Fit(measured, of_matrices);
  return scaling;
}

}  // namespace ampgrad::train
