#include "ct/spectra/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace ampgrad::ct {
namespace {

// The continued fraction of the incomplete beta function (Abramowitz and Stegun, 26.5.8), by Lentz's method.
double BetaFraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  double c = 1, d = 1 / std::max(kTiny, 1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= 500; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = std::abs(c) < kTiny ? kTiny : c;
      change = c * d;
      fraction *= change;
    }
    if (std::abs(change - 1) < 1e-15) break;
  }
  return fraction;
}

// I_x(a, b), the regularised incomplete beta function.
double IncompleteBeta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * BetaFraction(x, a, b) / a;
  return 1 - front * BetaFraction(1 - x, b, a) / b;
}

// How many of the n! orders have each number of discordant pairs, as shares (Kendall, Biometrika 30, 1938): putting the
// m-th value adds 0 to m − 1 pairs, each equally likely.
std::vector<double> SharesOfInversions(size_t n) {
  std::vector<double> shares = {1};
  for (size_t m = 2; m <= n; ++m) {
    std::vector<double> next(shares.size() + m - 1, 0.0);
    for (size_t i = 0; i < shares.size(); ++i) {
      for (size_t added = 0; added < m; ++added) next[i + added] += shares[i] / static_cast<double>(m);
    }
    shares = std::move(next);
  }
  return shares;
}

}  // namespace

double StudentTail(double t, double dof) {
  if (std::isinf(dof)) return std::erfc(t / std::sqrt(2.0)) / 2;
  const double both = IncompleteBeta(dof / (dof + t * t), dof / 2, 0.5);
  return t > 0 ? both / 2 : 1 - both / 2;
}

double StudentPoint(double tail, double dof) {
  double low = 0, high = 1;
  while (StudentTail(high, dof) > tail) high *= 2;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (StudentTail(middle, dof) > tail ? low : high) = middle;
  }
  return low;
}

std::vector<bool> SurviveHolm(const std::vector<double>& ps) {
  constexpr double kFamilyError = 0.05;
  std::vector<size_t> tested;
  for (size_t i = 0; i < ps.size(); ++i) {
    if (!std::isnan(ps[i])) tested.push_back(i);
  }
  std::stable_sort(tested.begin(), tested.end(), [&](size_t a, size_t b) { return ps[a] < ps[b]; });
  std::vector<bool> survive(ps.size(), false);
  for (size_t i = 0; i < tested.size(); ++i) {
    if (!(ps[tested[i]] <= kFamilyError / static_cast<double>(tested.size() - i))) break;
    survive[tested[i]] = true;
  }
  return survive;
}

LogFit FitLogs(const std::vector<double>& x, const std::vector<double>& y) {
  const double n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, residual = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    mean_x += std::log(x[i]) / n;
    mean_y += std::log(y[i]) / n;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const double apart = std::log(x[i]) - mean_x;
    xx += apart * apart;
    xy += apart * (std::log(y[i]) - mean_y);
  }
  const double slope = xy / xx;
  for (size_t i = 0; i < x.size(); ++i) {
    residual += std::pow(std::log(y[i]) - mean_y - slope * (std::log(x[i]) - mean_x), 2);
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {slope, x.size() > 2 ? std::sqrt(residual / (n - 2) / xx) : nan};
}

KendallTau KendallWithOrder(const std::vector<double>& values) {
  const size_t n = values.size();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (n < 2) return {nan, nan, nan};
  double discordant = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i])) throw std::invalid_argument("[kendall] expected finite values, found another");
    for (size_t j = i + 1; j < n; ++j) {
      discordant += values[j] < values[i] ? 1 : values[j] == values[i] ? 0.5 : 0;
    }
  }
  const double pairs = static_cast<double>(n * (n - 1)) / 2, score = pairs - 2 * discordant;
  const std::vector<double> shares = SharesOfInversions(n);
  const auto p_of = [&](double least) {
    double p = 0;
    for (size_t i = 0; i < shares.size(); ++i) {
      if (std::abs(pairs - 2 * static_cast<double>(i)) >= least) p += shares[i];
    }
    return std::min(1.0, p);
  };
  double least = pairs;
  while (least - 2 >= 0 && p_of(least - 2) <= 0.05) least -= 2;
  return {score / pairs, p_of(std::abs(score)), p_of(least) <= 0.05 ? (least - 1) / pairs : nan};
}

}  // namespace ampgrad::ct
