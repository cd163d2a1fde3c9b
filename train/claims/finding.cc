#include "train/claims/finding.h"

#include <algorithm>
#include <set>

#include "train/report/format.h"

namespace ampgrad::train {
namespace {

std::vector<Interval> IntervalsOf(const std::vector<ClaimFigure>& figures) {
  std::vector<Interval> intervals;
  for (const ClaimFigure& figure : figures) intervals.push_back(figure.interval);
  return intervals;
}

}  // namespace

Finding NotTestable(std::string rule, std::string decides) {
  return {.rule = std::move(rule), .verdict = Verdict::kNotTestable, .decides = std::move(decides)};
}

Finding ByThreshold(std::string rule, std::vector<ClaimFigure> figures, Side side, double bound,
                    std::vector<std::string> arms) {
  Finding finding{.rule = std::move(rule), .figures = std::move(figures), .arms = std::move(arms)};
  const std::vector<Interval> intervals = IntervalsOf(finding.figures);
  finding.verdict = JudgeAll(intervals, side, bound);
  finding.decides = WhatDecides(intervals, finding.verdict);
  return finding;
}

Finding ByContains(std::string rule, ClaimFigure figure, double value, double widest,
                   const std::vector<double>& alternatives, std::vector<std::string> arms) {
  Finding finding{.rule = std::move(rule), .figures = {std::move(figure)}, .arms = std::move(arms)};
  finding.verdict = JudgeContains(finding.figures[0].interval, value, widest, alternatives);
  finding.decides = WhatDecides(IntervalsOf(finding.figures), finding.verdict);
  return finding;
}

Finding ByFact(std::string rule, Verdict verdict, std::vector<ClaimFigure> figures, std::vector<std::string> arms,
               std::string decides) {
  return {.rule = std::move(rule),
          .verdict = verdict,
          .figures = std::move(figures),
          .arms = std::move(arms),
          .decides = std::move(decides)};
}

ClaimFigure EfficiencyFigure(const StudyRuns& runs, const Arm& arm, Gain gain) {
  return {std::string(ToString(gain)) + ", " + arm.name, Summary(Efficiency(runs, arm, gain))};
}

SeedValues EndLossDifference(const StudyRuns& runs, const Arm& a, const Arm& b) {
  return Difference(runs.Of(a, &StudyRun::end_loss), runs.Of(b, &StudyRun::end_loss));
}

ClaimFigure EndLossFigure(const StudyRuns& runs, const Arm& a, const Arm& b) {
  return {"end loss, " + a.name + " less " + b.name, Summary(EndLossDifference(runs, a, b)), FigureUnit::kLoss};
}

ClaimFigure Plain(std::string name, double value, FigureUnit unit) {
  ClaimFigure figure{std::move(name), {}, unit};
  figure.interval.mean = value;
  return figure;
}

const char* ToString(Gain gain) { return gain == Gain::kFromStart ? "papers' efficiency" : "from-base efficiency"; }

std::vector<Index> ComparedKs(const StudyRuns& runs) {
  std::set<Index> ks;
  for (const Index most : {8, 32}) {
    Index greatest = 0;
    for (const ct::Start start : kStarts) {
      for (const Arm* arm : runs.Amplitudes(start)) {
        if (arm->method.k <= most) greatest = std::max(greatest, arm->method.k);
      }
    }
    if (greatest > 0) ks.insert(greatest);
  }
  return {ks.begin(), ks.end()};
}

std::string Describe(const ClaimFigure& figure) {
  const Interval& i = figure.interval;
  const auto number = [&](double value) {
    if (figure.unit == FigureUnit::kShare) return report::Format("%.1f", 100 * value);
    return report::Format(figure.unit == FigureUnit::kLoss ? "%+.4f" : "%.4g", value);
  };
  const std::string unit = figure.unit == FigureUnit::kShare ? " %" : "";
  const bool counted = i.seeds + i.missing + i.diverged > 0;
  if (!i.HasMean()) {
    const std::string why = i.why.empty() ? "not printed" : i.why;
    return figure.name + ": – (" + why + (counted ? "; " + DescribeSeeds(i) : "") + ")";
  }
  std::string text = figure.name + ": " + number(i.mean) + unit;
  if (i.HasEnds()) text += " (" + number(i.low) + " to " + number(i.high) + (counted ? "; " : ")");
  if (!counted) return text;
  return text + (i.HasEnds() ? "" : " (no interval; ") + DescribeSeeds(i) + ")";
}

}  // namespace ampgrad::train
