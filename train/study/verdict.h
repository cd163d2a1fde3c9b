#pragma once

#include <string>
#include <vector>

#include "train/study/statistics.h"

/// When a claim holds, by intervals. All functions are undecided for fewer than kFewestSeeds seeds, and where a run
/// diverged: what it would have given is not in the interval. Without any seed there is nothing to test.
namespace ampgrad::train {

enum class Verdict { kHolds, kDoesNotHold, kUndecided, kNotTestable };

/// "holds", "does not hold", "undecided", "not testable here".
const char* ToString(Verdict verdict);

/// The fewest seeds that decide.
inline constexpr int kFewestSeeds = 5;
/// How far the ends of an interval may lie from its mean for a "contains" claim: shares, and exponents.
inline constexpr double kNarrowShare = 0.10, kNarrowExponent = 0.15;

/// Whether an interval can decide anything: enough seeds, and none of them diverged.
bool CanDecide(const Interval& interval);

/// On which side of a bound a figure passes. The bound itself passes kAtLeast and kAtMost.
enum class Side { kAbove, kAtLeast, kBelow, kAtMost };

bool Passes(double value, Side side, double bound);

/// Holds if the interval's nearer end passes, does not hold if its farther end fails, else undecided.
Verdict JudgeThreshold(const Interval& interval, Side side, double bound);

/// A figure and the threshold that it must pass.
struct Threshold {
  Interval interval;
  Side side = Side::kAbove;
  double bound = 0;
};
/// Several figures, each of which must pass. By Holm's correction an interval that decides alone may not decide among
/// others. Does not hold if one of them does not.
Verdict JudgeAll(const std::vector<Threshold>& thresholds);
/// The same with one threshold for all.
Verdict JudgeAll(const std::vector<Interval>& intervals, Side side, double bound);

/// Holds if the interval contains `value` and no alternative, and its half-width is at most `widest`; does not hold if
/// it lacks the value; else undecided.
Verdict JudgeContains(const Interval& interval, double value, double widest, const std::vector<double>& alternatives);

/// Holds if all do, does not hold if one does not; not testable if one is not, and else undecided.
Verdict AllOf(const std::vector<Verdict>& verdicts);

/// What would decide where the verdict is undecided, or testable at all; empty for a decided one.
std::string WhatDecides(const std::vector<Interval>& intervals, Verdict verdict);

}  // namespace ampgrad::train
