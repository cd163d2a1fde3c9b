#include "train/study/rate_search.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "train/report/format.h"

namespace ampgrad::train {
namespace {

constexpr int kMostBeyond = 8;

// The nearest of …, 1e-3, 3e-3, 1e-2, 3e-2, … above `rate`, or below it. Rounding is no step.
double NextRate(double rate, bool above) {
  const int exponent = static_cast<int>(std::floor(std::log10(rate)));
  double below = 0;
  for (int e = exponent - 2; e <= exponent + 2; ++e) {
    for (const int digit : {1, 3}) {
      const double next = std::strtod(report::Format("%de%d", digit, e).c_str(), nullptr);
      if (above && next > rate * (1 + 1e-9)) return next;
      if (next < rate * (1 - 1e-9)) below = next;
    }
  }
  return below;
}

// Of two runs that diverged, the one at the lower rate was nearer to a run that does not.
bool Better(const TriedRate& a, const TriedRate& b) {
  return a.loss < b.loss || (std::isinf(a.loss) && std::isinf(b.loss) && a.lr < b.lr);
}

}  // namespace

RateSearch SearchRate(std::vector<double> grid, const std::function<double(double lr)>& loss_of) {
  if (grid.size() == 1) return {grid[0], {}, false};
  std::sort(grid.begin(), grid.end());
  std::vector<TriedRate> tried;
  for (const double lr : grid) tried.push_back({lr, loss_of(lr)});
  TriedRate best = *std::min_element(tried.begin(), tried.end(), Better);
  const auto highest = [&] { return best.lr == tried.back().lr; };
  const auto lowest = [&] { return best.lr == tried.front().lr; };
  for (int beyond = 0; (highest() || lowest()) && beyond < kMostBeyond; ++beyond) {
    const double lr = NextRate(best.lr, highest());
    const TriedRate next = {lr, loss_of(lr)};
    tried.insert(highest() ? tried.end() : tried.begin(), next);
    if (Better(next, best)) best = next;
  }
  if (std::isinf(best.loss)) best.lr = std::numeric_limits<double>::quiet_NaN();
  return {best.lr, tried, highest() || lowest()};
}

std::vector<double> RatesAround(double rate) { return {NextRate(rate, false), rate, NextRate(rate, true)}; }

RateSearch MatchRate(double lr, double norm, const std::function<double(double lr)>& norm_of) {
  constexpr double kClose = 0.02;
  constexpr int kTries = 8;
  RateSearch best;
  double least = std::numeric_limits<double>::infinity(), slope = 1, last_lr = 0, last_off = 0;
  best.lr = std::numeric_limits<double>::quiet_NaN();
  for (int i = 0; i < kTries; ++i) {
    const double off = std::log(norm_of(lr) / norm);
    if (std::abs(off) < least) {
      least = std::abs(off);
      best.lr = lr;
    }
    if (least <= std::log1p(kClose)) break;
    if (!std::isfinite(off)) {
      lr /= 10;
      continue;
    }
    if (last_lr > 0) slope = std::clamp((off - last_off) / std::log(lr / last_lr), 0.25, 4.0);
    last_lr = lr;
    last_off = off;
    lr *= std::exp(-off / slope);
  }
  best.at_edge = !(least <= std::log1p(kClose));
  return best;
}

std::string Describe(const std::vector<TriedRate>& tried) {
  std::string text;
  for (const auto& [lr, loss] : tried) {
    text += report::Format("%s%g: ", text.empty() ? "" : ", ", lr);
    text += std::isinf(loss) ? "diverged" : report::Format("%.4f", loss);
  }
  return text;
}

}  // namespace ampgrad::train
