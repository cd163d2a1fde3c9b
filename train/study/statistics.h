#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

/// Figures over the seeds of a study, with the seeds that have none.
namespace ampgrad::train {

/// A number for each seed. A seed of the study that has no number is named, with its cause.
struct SeedValues {
  std::map<uint64_t, double> values = {};
  std::set<uint64_t> missing = {};   // no run of an arm that is needed, or a run without this number
  std::set<uint64_t> diverged = {};  // a run that is needed diverged
  std::string why = {};              // why the numbers may not be printed; empty: they may
};

/// Mean and two-sided 95 % interval over seeds, by Student's t.
struct Interval {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double low = mean, high = mean;  // NaN for fewer than two seeds
  double deviation = mean;         // of the seeds, by n − 1
  int seeds = 0;                   // that have a number
  int missing = 0, diverged = 0;   // seeds of the study that have none
  std::string why = {};            // why there is no mean

  bool HasMean() const { return mean == mean; }
  bool HasEnds() const { return low == low && high == high; }
  double HalfWidth() const { return (high - low) / 2; }
  bool Contains(double value) const { return low <= value && value <= high; }
};

/// mean ± t(0.975, n − 1)·s/√n.
Interval Summary(const SeedValues& values);

/// f of both numbers of each seed. A seed that lacks one of them has none.
SeedValues Paired(const SeedValues& a, const SeedValues& b, const std::function<double(double, double)>& f);
/// a − b of each seed.
SeedValues Difference(const SeedValues& a, const SeedValues& b);
/// a / b of each seed; not printed where the interval of b, over the seeds that have both, contains zero.
SeedValues RatioOf(const SeedValues& a, const SeedValues& b);

/// The two-sided p of a mean that is `value`, by Student's t; NaN without an interval.
double PValue(const Interval& interval, double value);

/// "5 seeds", "1 seed", "4 seeds, 1 diverged, 2 missing".
std::string DescribeSeeds(const Interval& interval);

}  // namespace ampgrad::train
