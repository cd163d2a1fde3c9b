#include "models/rope/rope_divisors.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ampgrad::models {
namespace {

// A frequency f turns x = f/2π waves in a token. The share of it that is kept is (context·x − 1)/(high − 1), between 0
// and 1. Where one share or none lies between them, many contexts have the same shares.
struct Shares {
  std::vector<double> x, kept;  // both falling
  size_t first = 0;             // the first share below 1
  size_t last = 0;              // the last share over 0

  Shares(const Tensor& divisors, const RopeConfig& rope) {
    RopeConfig plain;
    plain.theta = rope.theta;
    const Tensor frequencies = InverseFrequencies(plain, 2 * divisors.size());
    for (Index j = 0; j < divisors.size(); ++j) {
      x.push_back(static_cast<double>(frequencies[j]) / (2 * M_PI));
      kept.push_back((1 / static_cast<double>(divisors[j]) - 1 / rope.factor) / (1 - 1 / rope.factor));
    }
    constexpr double kEdge = 1e-5;
    while (first < kept.size() && kept[first] > 1 - kEdge) ++first;
    last = kept.size() - 1;
    while (last > 0 && kept[last] < kEdge) --last;
  }

  // The original context, or the longest; 0 where there is none.
  double Context() const {
    if (first == 0 || first == x.size()) return 0;
    double context;
    if (last > first) {  // two shares between 0 and 1 say it
      const double slope = (kept[first] - kept[last]) / (x[first] - x[last]);
      context = slope / (slope * x[first] - kept[first]);
    } else if (last < first) {  // a step: between the waves on either side
      context = 1 / std::sqrt(x[first] * x[first - 1]);
    } else {  // the longest at which the share of the wave before is still 1, and that of the next 0
      context = first + 1 < x.size() ? 1 / x[first + 1] : 0x1p30;
      const double rise = x[first] - kept[first] * x[first - 1];
      if (rise > 0) context = std::min(context, (1 - kept[first]) / rise);
    }
    return context >= 1 && context < 0x1p28 ? context : 0;
  }

  // The high_freq_factor that a context has then.
  double HighFor(double context) const {
    if (last < first) return std::min(context * x[first - 1], 1.001);
    const size_t middle = (first + last) / 2;
    return 1 + (context * x[middle] - 1) / kept[middle];
  }
};

bool Agree(const Tensor& divisors, const RopeConfig& rope) {
  const Tensor expected = DivisorsOf(rope, 2 * divisors.size());
  for (Index j = 0; j < divisors.size(); ++j) {
    if (!(std::abs(divisors[j] - expected[j]) <= 1e-5 * expected[j])) return false;
  }
  return true;
}

}  // namespace

Tensor DivisorsOf(const RopeConfig& rope, Index head_dim) {
  RopeConfig plain;
  plain.theta = rope.theta;
  Tensor divisors = InverseFrequencies(plain, head_dim);
  const Tensor frequencies = InverseFrequencies(rope, head_dim);
  for (Index j = 0; j < divisors.size(); ++j) divisors[j] /= frequencies[j];
  return divisors;
}

std::optional<RopeConfig> RopeOfDivisors(const Tensor& divisors, double theta) {
  RopeConfig rope;
  rope.type = RopeConfig::Type::kLlama3;
  rope.theta = theta;
  rope.factor = static_cast<double>(*std::max_element(divisors.begin(), divisors.end()));  // of slow waves
  const double least = static_cast<double>(*std::min_element(divisors.begin(), divisors.end()));
  if (!(rope.factor > 1) || !std::isfinite(rope.factor) || !(least > 0)) return std::nullopt;
  const Shares shares(divisors, rope);
  const double found = shares.Context();
  if (found == 0) return std::nullopt;
  // Divisors are floats, so what was meant is near: a power of two or another integer, and a decimal.
  for (const double low : {1, 2, 3, 4, 5, 6, 7, 8}) {
    const double most = low * found, power = std::log2(most);
    for (const double context :
         {std::exp2(std::round(power)), std::exp2(std::floor(power)), std::round(most), std::floor(most)}) {
      const double high = low * shares.HighFor(context / low);
      for (const double some_high : {std::round(high * 1000) / 1000, high}) {
        rope.low_freq_factor = low;
        rope.original_context = static_cast<Index>(context);
        rope.high_freq_factor = some_high;
        if (some_high > low && context >= 1 && Agree(divisors, rope)) return rope;
      }
    }
  }
  return std::nullopt;
}

}  // namespace ampgrad::models
