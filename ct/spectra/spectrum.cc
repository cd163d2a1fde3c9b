#include "ct/spectra/spectrum.h"

#include <cmath>
#include <numeric>

namespace ampgrad::ct {
namespace {

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

double FirstShare(const std::vector<double>& eigenvalues) { return TopShare(eigenvalues, 1); }

Index CountFor95(const std::vector<double>& eigenvalues) {
  const double wanted = 0.95 * Sum(eigenvalues);
  double sum = 0;
  for (size_t i = 0; i < eigenvalues.size(); ++i) {
    sum += eigenvalues[i];
    if (sum >= wanted) return static_cast<Index>(i) + 1;
  }
  return static_cast<Index>(eigenvalues.size());
}

double ParticipationRatio(double trace, double squares) { return squares > 0 ? trace * trace / squares : 0; }

double IidParticipationRatio(Index n, Index d) {
  const double free = static_cast<double>(n - 1), width = static_cast<double>(d);
  return free * width / (free + width + 1);
}

double MarchenkoPasturEdge(Index n, Index d, double variance) {
  const double root = 1 + std::sqrt(static_cast<double>(d) / static_cast<double>(n));
  return variance * root * root * static_cast<double>(n);
}

double ShareAbove(const std::vector<double>& eigenvalues, double edge) {
  double above = 0;
  for (const double value : eigenvalues) above += value > edge ? value : 0;
  const double sum = Sum(eigenvalues);
  return sum > 0 ? above / sum : 0;
}

double TopShare(const std::vector<double>& eigenvalues, Index k) {
  double top = 0;
  for (Index i = 0; i < k && i < static_cast<Index>(eigenvalues.size()); ++i) top += eigenvalues[i];
  const double sum = Sum(eigenvalues);
  return sum > 0 ? top / sum : 0;
}

}  // namespace ampgrad::ct
