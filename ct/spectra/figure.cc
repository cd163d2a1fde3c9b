#include "ct/spectra/figure.h"

#include <algorithm>
#include <cmath>

#include "ct/spectra/statistics.h"

namespace ampgrad::ct {
namespace {

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

Figure AgainstDraws(double value, std::vector<double> draws, Structure structure) {
  if (draws.empty()) return Untested(value);
  const double sign = structure == Structure::kLow ? -1 : 1;
  const double mean = Mean(draws);
  for (double& draw : draws) draw *= sign;
  std::sort(draws.begin(), draws.end());
  const double n = static_cast<double>(draws.size()), far = sign * value;
  const auto quantile = [&](double q) { return draws[static_cast<size_t>(std::ceil(q * n)) - 1]; };
  Figure figure{.value = value, .null = mean, .level = sign * quantile(0.95), .structure = structure};
  const double threshold = quantile(0.8);
  const auto beyond = std::upper_bound(draws.begin(), draws.end(), threshold);
  double excess = 0;
  for (auto draw = beyond; draw != draws.end(); ++draw) excess += *draw - threshold;
  const auto as_far = static_cast<double>(draws.end() - std::lower_bound(draws.begin(), draws.end(), far));
  figure.p = (1 + as_far) / (1 + n);
  if (far > threshold && excess > 0) {
    const auto count = static_cast<double>(draws.end() - beyond);
    figure.p = count / n * std::exp(-(far - threshold) * count / excess);
  }
  return figure;
}

Figure AgainstNormal(double value, double mean, double deviation, double draws, Structure structure) {
  const double spread = deviation * std::sqrt(1 + 1 / draws), dof = draws - 1;
  const double apart = structure == Structure::kBoth   ? std::abs(value - mean)
                       : structure == Structure::kHigh ? value - mean
                                                       : mean - value;
  const double sides = structure == Structure::kBoth ? 2 : 1;
  const double reach = StudentPoint(0.05 / sides, dof) * spread;
  return {.value = value,
          .null = mean,
          .level = structure == Structure::kLow ? mean - reach : mean + reach,
          .p = std::min(1.0, sides * StudentTail(spread > 0 ? apart / spread : 0, dof)),
          .structure = structure};
}

Figure AgainstMoments(double value, const std::vector<double>& draws, Structure structure) {
  if (draws.empty()) return Untested(value);
  const double mean = Mean(draws);
  if (draws.size() < kFewestDraws) return Untested(value, mean);
  double squares = 0;
  for (const double draw : draws) squares += (draw - mean) * (draw - mean);
  const double n = static_cast<double>(draws.size());
  return AgainstNormal(value, mean, std::sqrt(squares / (n - 1)), n, structure);
}

void MarkByHolm(const std::vector<Figure*>& figures) {
  std::vector<double> ps;
  for (const Figure* figure : figures) ps.push_back(figure->p);
  const std::vector<bool> survive = SurviveHolm(ps);
  for (size_t i = 0; i < figures.size(); ++i) figures[i]->marked = survive[i];
}

}  // namespace ampgrad::ct
