#include "train/study/statistics.h"

#include <algorithm>
#include <cmath>

#include "ct/spectra/statistics.h"
#include "train/report/format.h"

namespace ampgrad::train {

Interval Summary(const SeedValues& values) {
  Interval result;
  result.seeds = static_cast<int>(values.values.size());
  result.missing = static_cast<int>(values.missing.size());
  result.diverged = static_cast<int>(values.diverged.size());
  result.why = values.why;
  if (!result.why.empty()) return result;
  if (result.seeds == 0) {
    result.why = result.diverged > 0 ? "every run diverged" : "no runs";
    return result;
  }
  double sum = 0;
  for (const auto& [seed, value] : values.values) {
    sum += value;
    if (!std::isfinite(value)) {
      result.why = report::Format("seed %llu has no finite number", static_cast<unsigned long long>(seed));
    }
  }
  if (!result.why.empty()) return result;
  const double n = result.seeds;
  result.mean = sum / n;
  if (result.seeds < 2) return result;
  double squares = 0;
  for (const auto& [seed, value] : values.values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (n - 1));
  const double reach = ct::StudentPoint(0.025, n - 1) * result.deviation / std::sqrt(n);
  result.low = result.mean - reach;
  result.high = result.mean + reach;
  return result;
}

SeedValues Paired(const SeedValues& a, const SeedValues& b, const std::function<double(double, double)>& f) {
  SeedValues result;
  result.why = !a.why.empty() ? a.why : b.why;
  for (const SeedValues* side : {&a, &b}) {
    result.diverged.insert(side->diverged.begin(), side->diverged.end());
    result.missing.insert(side->missing.begin(), side->missing.end());
  }
  for (const auto& [seed, value] : a.values) {
    const auto other = b.values.find(seed);
    if (other != b.values.end()) {
      result.values[seed] = f(value, other->second);
    } else if (!b.diverged.contains(seed)) {
      result.missing.insert(seed);
    }
  }
  for (const auto& [seed, value] : b.values) {
    if (!a.values.contains(seed) && !a.diverged.contains(seed)) result.missing.insert(seed);
  }
  // A seed is named once: a run that diverged says more than one that is missing.
  for (const uint64_t seed : result.diverged) result.missing.erase(seed);
  return result;
}

SeedValues Difference(const SeedValues& a, const SeedValues& b) {
  return Paired(a, b, [](double x, double y) { return x - y; });
}

SeedValues RatioOf(const SeedValues& a, const SeedValues& b) {
  SeedValues result = Paired(a, b, [](double x, double y) { return x / y; });
  const Interval below = Summary(Paired(a, b, [](double, double y) { return y; }));
  if (!result.why.empty() || !below.HasMean()) return result;
  if (below.HasEnds() ? below.Contains(0) : below.mean == 0) {
    result.why = report::Format("its denominator may be zero: %.4g (%.4g to %.4g)", below.mean, below.low, below.high);
  }
  return result;
}

double PValue(const Interval& interval, double value) {
  if (!interval.HasEnds()) return std::numeric_limits<double>::quiet_NaN();
  const double apart = std::abs(interval.mean - value), n = interval.seeds;
  if (apart == 0) return 1;
  if (interval.deviation == 0) return 0;
  return std::min(1.0, 2 * ct::StudentTail(apart * std::sqrt(n) / interval.deviation, n - 1));
}

std::string DescribeSeeds(const Interval& interval) {
  std::string text = report::Format("%d seed%s", interval.seeds, interval.seeds == 1 ? "" : "s");
  if (interval.diverged > 0) text += report::Format(", %d diverged", interval.diverged);
  if (interval.missing > 0) text += report::Format(", %d missing", interval.missing);
  return text;
}

}  // namespace ampgrad::train
