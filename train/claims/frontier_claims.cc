// The claims about the K curve: C1, C2, C5 to C8, C20, C21 and C25.
#include <algorithm>
#include <cmath>

#include "ct/spectra/statistics.h"
#include "train/claims/finding.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

constexpr const char* kNoCurve = "runs of the plan \"frontier\"";

std::string Need(ct::Start start, Index k) {
  return report::Format("runs of %s K=%lld and of full", ct::ToString(start), static_cast<long long>(k));
}

// K = d over `part`, or 0 where that is no whole number of the curve.
Index PartOfWidth(const StudyInput& study, Index part) {
  return study.width > 0 && study.width % part == 0 ? study.width / part : 0;
}

Finding WithoutWidth(std::string rule, Index part) {
  return NotTestable(std::move(rule),
                     report::Format("the width d (--width), and runs at K = d/%lld", static_cast<long long>(part)));
}

// E(2K) − 2·E(K) by seed.
ClaimFigure Superlinear(const StudyRuns& runs, const Arm& twice, const Arm& once, Gain gain) {
  const SeedValues excess = Paired(Efficiency(runs, twice, gain), Efficiency(runs, once, gain),
                                   [](double two, double one) { return two - 2 * one; });
  return {report::Format("E(%lld) − 2·E(%lld)", static_cast<long long>(twice.method.k),
                         static_cast<long long>(once.method.k)),
          Summary(excess)};
}

Finding PhasesBy(const StudyRuns& runs, Gain gain) {
  const std::string rule = std::string("by ") + ToString(gain) +
                           ", reconstructed: a K below 0, one around 0, one "
                           "above; and E(2K) − 2·E(K) above 0 where E(K) is";
  const std::vector<const Arm*> arms = runs.Amplitudes(ct::Start::kReconstructed);
  if (arms.size() < 3) return NotTestable(rule, kNoCurve);
  std::vector<ClaimFigure> figures, excesses;
  std::vector<double> ps;
  for (const Arm* arm : arms) {
    figures.push_back(EfficiencyFigure(runs, *arm, gain));
    ps.push_back(PValue(figures.back().interval, 0));
  }
  const std::vector<bool> survive = ct::SurviveHolm(ps);
  bool below = false, around = false, above = false, all_above = true;
  std::vector<Interval> intervals;
  for (size_t i = 0; i < arms.size(); ++i) {
    const Interval& e = figures[i].interval;
    const bool is_above = survive[i] && e.low > 0;
    below = below || (survive[i] && e.high < 0);
    around = around || (e.HasEnds() && e.Contains(0));
    above = above || is_above;
    all_above = all_above && is_above;
    if (is_above && i + 1 < arms.size()) excesses.push_back(Superlinear(runs, *arms[i + 1], *arms[i], gain));
    intervals.push_back(e);
  }
  std::vector<Interval> of_excesses;
  for (const ClaimFigure& excess : excesses) of_excesses.push_back(excess.interval);
  const Verdict superlinear = excesses.empty() ? Verdict::kUndecided : JudgeAll(of_excesses, Side::kAbove, 0);
  Verdict verdict = Verdict::kUndecided;
  if (std::ranges::all_of(intervals, CanDecide)) {
    // All three phases are there, or none is destructive, or a doubling gives less than twice.
    if (below && around && above) verdict = superlinear;
    if (all_above || superlinear == Verdict::kDoesNotHold) verdict = Verdict::kDoesNotHold;
  }
  figures.insert(figures.end(), excesses.begin(), excesses.end());
  Finding finding = ByFact(rule, verdict, figures, {}, WhatDecides(intervals, verdict));
  for (const Arm* arm : arms) finding.arms.push_back(arm->name);
  return finding;
}

}  // namespace

Findings SmallKReachesFull(const StudyInput& study) {
  Findings findings;
  for (const Gain gain : {Gain::kFromStart, Gain::kFromBase}) {
    const std::string rule = std::string(ToString(gain)) + ", reconstructed K = 8, is at least 85 %";
    const Arm* arm = study.runs.Amplitude(ct::Start::kReconstructed, 8);
    findings.push_back(
        arm ? ByThreshold(rule, {EfficiencyFigure(study.runs, *arm, gain)}, Side::kAtLeast, 0.85, {arm->name, "full"})
            : NotTestable(rule, Need(ct::Start::kReconstructed, 8)));
  }
  return findings;
}

Findings EightSuffice(const StudyInput& study) {
  Findings findings;
  for (const ct::Start start : kStarts) {
    const std::string rule =
        std::string("from-base efficiency, ") + ct::ToString(start) + ": K = 8 within 5 points of every larger K";
    const Arm* eight = study.runs.Amplitude(start, 8);
    std::vector<ClaimFigure> figures;
    std::vector<std::string> arms = {"full"};
    for (const Arm* arm : study.runs.Amplitudes(start)) {
      if (!eight || arm->method.k < 8) continue;
      arms.push_back(arm->name);
      if (arm->method.k == 8) continue;
      figures.push_back({"E(8) less E(" + std::to_string(arm->method.k) + ")",
                         Summary(Difference(Efficiency(study.runs, *eight, Gain::kFromBase),
                                            Efficiency(study.runs, *arm, Gain::kFromBase)))});
    }
    findings.push_back(figures.empty() ? NotTestable(rule, Need(start, 8) + ", and of a larger K")
                                       : ByThreshold(rule, figures, Side::kAtLeast, -0.05, arms));
  }
  return findings;
}

Findings LossyStart(const StudyInput& study) {
  const std::string rule =
      "from-base efficiency, reconstructed, is above 0 at K = 8 and 32, or what of that the width allows";
  std::vector<ClaimFigure> figures, gaps;
  std::vector<std::string> arms = {"full"};
  for (const Index k : ComparedKs(study.runs)) {
    const Arm* lossy = study.runs.Amplitude(ct::Start::kReconstructed, k);
    if (!lossy) continue;
    figures.push_back(EfficiencyFigure(study.runs, *lossy, Gain::kFromBase));
    arms.push_back(lossy->name);
    if (const Arm* exact = study.runs.Amplitude(ct::Start::kExact, k)) {
      gaps.push_back(EndLossFigure(study.runs, *lossy, *exact));
      arms.push_back(exact->name);
    }
  }
  if (figures.empty()) return {NotTestable(rule, Need(ct::Start::kReconstructed, 8))};
  Finding finding = ByThreshold(rule, figures, Side::kAbove, 0, arms);
  finding.figures.insert(finding.figures.end(), gaps.begin(), gaps.end());
  return {finding};
}

Findings Phases(const StudyInput& study) {
  return {PhasesBy(study.runs, Gain::kFromStart), PhasesBy(study.runs, Gain::kFromBase)};
}

Findings SurpassesFull(const StudyInput& study) {
  Findings findings;
  for (const ct::Start start : kStarts) {
    const std::string rule =
        std::string("end loss at K = d/32, ") + ct::ToString(start) + ", is below that of full SFT";
    const Index k = PartOfWidth(study, 32);
    const Arm *arm = k > 0 ? study.runs.Amplitude(start, k) : nullptr, *full = study.runs.Full();
    findings.push_back(arm && full ? ByThreshold(rule, {EndLossFigure(study.runs, *arm, *full)}, Side::kBelow, 0,
                                                 {arm->name, full->name})
                                   : WithoutWidth(rule, 32));
  }
  return findings;
}

Findings SixteenthOfWidth(const StudyInput& study) {
  Findings findings;
  for (const Gain gain : {Gain::kFromStart, Gain::kFromBase}) {
    const std::string rule = std::string(ToString(gain)) +
                             ", reconstructed K = d/16, is above 150 %; the figure at 1.1B is not testable here";
    const Index k = PartOfWidth(study, 16);
    const Arm* arm = k > 0 ? study.runs.Amplitude(ct::Start::kReconstructed, k) : nullptr;
    findings.push_back(
        arm ? ByThreshold(rule, {EfficiencyFigure(study.runs, *arm, gain)}, Side::kAbove, 1.5, {arm->name, "full"})
            : WithoutWidth(rule, 16));
  }
  return findings;
}

Findings OptimizerMemory(const StudyInput& study) {
  const std::string rule = "AdamW's bytes of full SFT over those at K = d/64, as 32 of 2048, are within 5 % of 112";
  const Index k = PartOfWidth(study, 64);
  const Arm *arm = k > 0 ? study.runs.Amplitude(ct::Start::kExact, k) : nullptr, *full = study.runs.Full();
  if (!arm || !full) return {WithoutWidth(rule, 64)};
  const StudyRun *own = nullptr, *whole = nullptr;
  for (const uint64_t seed : study.runs.seeds()) {
    if (!own) own = study.runs.Run(*arm, seed);
    if (!whole) whole = study.runs.Run(*full, seed);
  }
  const auto over = [](Index a, Index b) { return static_cast<double>(a) / static_cast<double>(b); };
  const double bytes = over(whole->optimizer_bytes, own->optimizer_bytes);
  const bool holds = std::abs(bytes / 112 - 1) <= 0.05;
  return {ByFact(rule, holds ? Verdict::kHolds : Verdict::kDoesNotHold,
                 {Plain("optimizer bytes, full over " + arm->name, bytes),
                  Plain("most bytes of all tensors, full over " + arm->name, over(whole->memory, own->memory))},
                 {arm->name, full->name})};
}

Findings LeastK(const StudyInput& study) {
  const std::string rule =
      "the least K with from-base efficiency above 0, reconstructed, over d is within a factor of 2 of 0.78 %";
  const std::vector<CurvePoint> curve = KCurve(study.runs, ct::Start::kReconstructed);
  if (study.width == 0 || curve.empty()) return {NotTestable(rule, "the width d (--width), and the K curve")};
  // The least K lies from the first that is not shown to be at 0 or below to the first that is shown to be above.
  double first = INFINITY, last = INFINITY;
  std::vector<Interval> intervals;
  std::vector<ClaimFigure> figures;
  std::vector<std::string> arms = {"full"};
  for (const CurvePoint& point : curve) {
    const Verdict verdict = JudgeThreshold(point.from_base, Side::kAbove, 0);
    const double share = static_cast<double>(point.k) / static_cast<double>(study.width);
    if (verdict != Verdict::kDoesNotHold) first = std::min(first, share);
    if (verdict == Verdict::kHolds) last = std::min(last, share);
    intervals.push_back(point.from_base);
    arms.push_back(point.arm->name);
    figures.push_back({"from-base efficiency, " + point.arm->name, point.from_base});
  }
  constexpr double kLow = 0.0078125 / 2, kHigh = 0.0078125 * 2;  // 1/128
  Verdict verdict = Verdict::kUndecided;
  if (first >= kLow && last <= kHigh) verdict = Verdict::kHolds;
  if (first > kHigh || last < kLow) verdict = Verdict::kDoesNotHold;
  ClaimFigure least = Plain("least K over d", std::isfinite(last) ? last : NAN, FigureUnit::kShare);
  if (!std::isfinite(last)) least.interval.why = "no K is shown to be above 0";
  figures.insert(figures.begin(), least);
  return {ByFact(rule, verdict, figures, arms, WhatDecides(intervals, verdict))};
}

Findings ConstantReturns(const StudyInput& study) {
  Findings findings;
  for (const Gain gain : {Gain::kFromStart, Gain::kFromBase}) {
    const std::string rule = std::string("by ") + ToString(gain) +
                             ", reconstructed: neighbouring returns per K, where E(K) is above 0, are equal: their "
                             "difference over a step contains 0 and is known within 10 points";
    const std::vector<const Arm*> arms = study.runs.Amplitudes(ct::Start::kReconstructed);
    std::vector<ClaimFigure> figures;
    std::vector<Verdict> verdicts;
    std::vector<double> ps;
    std::vector<Interval> intervals;
    for (size_t i = 0; i + 2 < arms.size(); ++i) {
      const SeedValues low = Efficiency(study.runs, *arms[i], gain), high = Efficiency(study.runs, *arms[i + 1], gain);
      if (JudgeThreshold(Summary(low), Side::kAbove, 0) != Verdict::kHolds) continue;
      const auto k = [&](size_t at) { return static_cast<double>(arms[at]->method.k); };
      // What the later return would give over the earlier step, less what that step gave.
      const double step = k(i + 1) - k(i), scale = step / (k(i + 2) - k(i + 1));
      const SeedValues later = Paired(Efficiency(study.runs, *arms[i + 2], gain), high,
                                      [scale](double c, double b) { return scale * (c - b); });
      figures.push_back(
          {report::Format("return from K = %.0f on less that from %.0f, over %.0f scores", k(i + 1), k(i), step),
           Summary(Difference(later, Difference(high, low)))});
      intervals.push_back(figures.back().interval);
      ps.push_back(PValue(intervals.back(), 0));
    }
    const std::vector<bool> survive = ct::SurviveHolm(ps);
    for (size_t i = 0; i < intervals.size(); ++i) {
      const Verdict alone = JudgeContains(intervals[i], 0, kNarrowShare, {});
      verdicts.push_back(alone == Verdict::kDoesNotHold && !survive[i] ? Verdict::kUndecided : alone);
    }
    const Verdict verdict = AllOf(verdicts);
    std::vector<std::string> names = {"full"};
    for (const Arm* arm : arms) names.push_back(arm->name);
    findings.push_back(figures.empty() ? NotTestable(rule, "three neighbouring K whose efficiency is above 0")
                                       : ByFact(rule, verdict, figures, names, WhatDecides(intervals, verdict)));
  }
  return findings;
}

}  // namespace ampgrad::train
