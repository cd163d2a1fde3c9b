// What freezing saves, and the claim about it: C14.
#include "train/claims/freezing.h"

#include <cmath>

#include "train/claims/finding.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

double AllSeconds(const StudyRun& run) { return run.held_out.empty() ? NAN : run.held_out.back().seconds; }

// The arm that is the same but for freezing.
const Arm* Unfrozen(const StudyRuns& runs, const Arm& frozen) {
  return runs.Find([&](const Arm& arm) {
    return arm.freeze.empty() && runs.IsComparable(arm) && arm.kind == frozen.kind && arm.steps == frozen.steps &&
           arm.samples == frozen.samples && arm.method.Label() == frozen.method.Label() &&
           arm.method.scope == frozen.method.scope;
  });
}

// The seconds to the end loss of the un-frozen run of the same seed, of all steps where it is not reached.
SeedValues SecondsToEnd(const StudyRuns& runs, const FreezingArm& frozen, int& late) {
  return runs.Of(*frozen.arm, [&](const StudyRun& run) {
    const StudyRun* other = runs.Run(*frozen.unfrozen, run.seed);
    const double target = other && other->diverged.empty() ? other->end_loss : NAN;
    if (std::isnan(target) || std::isnan(AllSeconds(run))) return static_cast<double>(NAN);
    const double reached = SecondsToReach(run, target);
    if (std::isnan(reached)) ++late;
    return std::isnan(reached) ? AllSeconds(run) : reached;
  });
}

const FreezingArm* OfOrder(const std::vector<FreezingArm>& arms, const std::string& order) {
  for (const FreezingArm& arm : arms) {
    if (arm.arm->freeze == order) return &arm;
  }
  return nullptr;
}

}  // namespace

const char* const kFreezingBoundText =
    "freezing scattered matrices saves half of all dW, a third of a step's products: at most 1.2 times faster";

double SecondsToReach(const StudyRun& run, double loss) {
  double before = run.start_loss, since = 0;
  if (!(before > loss)) return NAN;
  for (const HeldOutPoint& point : run.held_out) {
    if (point.loss <= loss) return since + (before - loss) / (before - point.loss) * (point.seconds - since);
    before = point.loss;
    since = point.seconds;
  }
  return NAN;
}

std::vector<FreezingArm> FreezingArms(const StudyRuns& runs) {
  std::vector<FreezingArm> arms;
  for (const Arm* arm : runs.Arms([](const Arm& a) { return !a.freeze.empty(); })) {
    FreezingArm frozen{.unfrozen = Unfrozen(runs, *arm), .arm = arm};
    if (!frozen.unfrozen) continue;
    const auto over = [](double a, double b) { return a / b; };
    frozen.seconds = runs.Of(*arm, AllSeconds);
    frozen.whole_ratio = Paired(runs.Of(*frozen.unfrozen, AllSeconds), frozen.seconds, over);
    const SeedValues own =
        runs.Of(*frozen.unfrozen, [](const StudyRun& run) { return SecondsToReach(run, run.end_loss); });
    frozen.speed_up = Paired(own, SecondsToEnd(runs, frozen, frozen.late), over);
    frozen.end_loss = Difference(runs.Of(*arm, &StudyRun::end_loss), runs.Of(*frozen.unfrozen, &StudyRun::end_loss));
    arms.push_back(std::move(frozen));
  }
  return arms;
}

Findings EarlyFreezing(const StudyInput& study) {
  const std::string rule =
      "lowest PR first: at least twice as fast to the end loss of the run without freezing, and it ends lower than in "
      "random order; " +
      std::string(kFreezingBoundText);
  const std::vector<FreezingArm> arms = FreezingArms(study.runs);
  const FreezingArm *by_pr = OfOrder(arms, "pr"), *random = OfOrder(arms, "random");
  if (!by_pr || !random || Summary(by_pr->speed_up).seeds == 0) {
    return {NotTestable(rule, "runs of the plan \"freezing\" with their times: by PR, in random order, and without")};
  }
  const ClaimFigure speed = {report::Format("speed-up to the loss of %s", by_pr->unfrozen->name.c_str()),
                             Summary(by_pr->speed_up), FigureUnit::kNumber};
  const ClaimFigure order = EndLossFigure(study.runs, *by_pr->arm, *random->arm);
  const ClaimFigure whole = {"seconds of all steps, without freezing over by PR", Summary(by_pr->whole_ratio),
                             FigureUnit::kNumber};
  const ClaimFigure late =
      Plain("seeds that never reach that loss, counted with the time of all their steps", by_pr->late);
  Verdict verdict = JudgeAll({{speed.interval, Side::kAtLeast, 2}, {order.interval, Side::kBelow, 0}});
  std::string decides = WhatDecides({speed.interval, order.interval}, verdict);
  if (verdict == Verdict::kHolds && by_pr->late > 0) {
    verdict = Verdict::kUndecided;
    decides = "longer runs by PR, until each reaches the loss";
  }
  return {ByFact(rule, verdict, {speed, order, whole, late},
                 {by_pr->unfrozen->name, by_pr->arm->name, random->arm->name}, decides)};
}

}  // namespace ampgrad::train
