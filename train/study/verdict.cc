#include "train/study/verdict.h"

#include <algorithm>
#include <cmath>

#include "ct/spectra/statistics.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

Verdict WithoutDecision(const Interval& interval) {
  return interval.seeds == 0 && interval.diverged == 0 ? Verdict::kNotTestable : Verdict::kUndecided;
}

}  // namespace

const char* ToString(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kDoesNotHold:
      return "does not hold";
    case Verdict::kUndecided:
      return "undecided";
    case Verdict::kNotTestable:
      break;
  }
  return "not testable here";
}

bool CanDecide(const Interval& interval) {
  return interval.HasEnds() && interval.seeds >= kFewestSeeds && interval.diverged == 0;
}

bool Passes(double value, Side side, double bound) {
  switch (side) {
    case Side::kAbove:
      return value > bound;
    case Side::kAtLeast:
      return value >= bound;
    case Side::kBelow:
      return value < bound;
    case Side::kAtMost:
      break;
  }
  return value <= bound;
}

Verdict JudgeThreshold(const Interval& interval, Side side, double bound) {
  if (!CanDecide(interval)) return WithoutDecision(interval);
  const bool upward = side == Side::kAbove || side == Side::kAtLeast;
  if (Passes(upward ? interval.low : interval.high, side, bound)) return Verdict::kHolds;
  if (!Passes(upward ? interval.high : interval.low, side, bound)) return Verdict::kDoesNotHold;
  return Verdict::kUndecided;
}

Verdict JudgeAll(const std::vector<Threshold>& thresholds) {
  std::vector<double> ps;
  for (const auto& [interval, side, bound] : thresholds) ps.push_back(PValue(interval, bound));
  const std::vector<bool> survive = ct::SurviveHolm(ps);
  std::vector<Verdict> verdicts;
  for (size_t i = 0; i < thresholds.size(); ++i) {
    const Verdict alone = JudgeThreshold(thresholds[i].interval, thresholds[i].side, thresholds[i].bound);
    const bool decided = alone == Verdict::kHolds || alone == Verdict::kDoesNotHold;
    // An interval that touches the bound has a p of 5 % to rounding; one alone is not corrected.
    const bool stands = survive[i] || thresholds.size() == 1;
    verdicts.push_back(decided && !stands ? Verdict::kUndecided : alone);
  }
  return AllOf(verdicts);
}

Verdict JudgeAll(const std::vector<Interval>& intervals, Side side, double bound) {
  std::vector<Threshold> thresholds;
  for (const Interval& interval : intervals) thresholds.push_back({interval, side, bound});
  return JudgeAll(thresholds);
}

Verdict JudgeContains(const Interval& interval, double value, double widest, const std::vector<double>& alternatives) {
  if (!CanDecide(interval)) return WithoutDecision(interval);
  if (!interval.Contains(value)) return Verdict::kDoesNotHold;
  if (!(interval.HalfWidth() <= widest)) return Verdict::kUndecided;
  const bool alone = std::ranges::none_of(alternatives, [&](double other) { return interval.Contains(other); });
  return alone ? Verdict::kHolds : Verdict::kUndecided;
}

Verdict AllOf(const std::vector<Verdict>& verdicts) {
  const auto has = [&](Verdict verdict) { return std::ranges::find(verdicts, verdict) != verdicts.end(); };
  if (has(Verdict::kDoesNotHold)) return Verdict::kDoesNotHold;
  if (verdicts.empty() || has(Verdict::kNotTestable)) return Verdict::kNotTestable;
  return has(Verdict::kUndecided) ? Verdict::kUndecided : Verdict::kHolds;
}

std::string WhatDecides(const std::vector<Interval>& intervals, Verdict verdict) {
  if (verdict == Verdict::kHolds || verdict == Verdict::kDoesNotHold) return "";
  int fewest = kFewestSeeds, diverged = 0;
  for (const Interval& interval : intervals) {
    if (!interval.why.empty()) return interval.why;
    fewest = std::min(fewest, interval.seeds);
    diverged = std::max(diverged, interval.diverged);
  }
  if (diverged > 0)
    return report::Format("runs that do not diverge: %d did, and no interval speaks for them", diverged);
  if (fewest < kFewestSeeds) return report::Format("%d seeds; there are %d", kFewestSeeds, fewest);
  return "more seeds: the interval does not decide";
}

}  // namespace ampgrad::train
