// The claims about several widths: C10, C22 and C23.
#include <algorithm>
#include <cmath>

#include "tensor/io/json.h"
#include "train/claims/finding.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

using Studies = std::vector<const StudyInput*>;

constexpr const char* kNeedWidths = "studies of one recipe at several widths, each with its width d";

std::vector<double> Widths(const Studies& studies) {
  std::vector<double> widths;
  for (const StudyInput* study : studies) widths.push_back(static_cast<double>(study->width));
  return widths;
}

}  // namespace

Findings BestKWithWidth(const Studies& studies) {
  Findings findings;
  const std::pair<double, const char*> laws[] = {{0.6, "0.6 (S76)"}, {1.0, "1, as d/32 (S78)"}};
  for (const ct::Start start : kStarts) {
    std::vector<SeedValues> ks;
    std::vector<std::string> arms;
    for (const StudyInput* study : studies) {
      ks.push_back(KReaching(study->runs, start, 0.8));
      for (const Arm* arm : study->runs.Amplitudes(start)) arms.push_back(study->name + ": " + arm->name);
    }
    for (const auto& [law, name] : laws) {
      const std::string rule = std::string("K that reaches 80 % from the base, ") + ct::ToString(start) +
                               ", goes as d to the " + name + ", and not to the other";
      if (studies.size() < 2) {
        findings.push_back(NotTestable(rule, kNeedWidths));
        continue;
      }
      const ClaimFigure figure = {report::Format("exponent over %zu widths", studies.size()),
                                  Summary(ExponentBySeed(Widths(studies), ks)), FigureUnit::kNumber};
      findings.push_back(ByContains(rule, figure, law, kNarrowExponent, {1.6 - law}, arms));
    }
  }
  return findings;
}

Findings FallsWithScale(const Studies& studies) {
  const std::string rule =
      "from-base efficiency at K = d/32, reconstructed, falls with d: its slope over log₂ d is below 0";
  SeedValues slope;
  std::vector<std::string> arms;
  std::vector<ClaimFigure> points;
  std::vector<std::pair<double, SeedValues>> values;
  for (const StudyInput* study : studies) {
    const Arm* arm =
        study->width % 32 == 0 ? study->runs.Amplitude(ct::Start::kReconstructed, study->width / 32) : nullptr;
    if (!arm) continue;
    values.emplace_back(std::log2(static_cast<double>(study->width)), Efficiency(study->runs, *arm, Gain::kFromBase));
    points.push_back({report::Format("d = %lld", static_cast<long long>(study->width)), Summary(values.back().second)});
    arms.push_back(study->name + ": " + arm->name);
  }
  if (values.size() < 2) return {NotTestable(rule, kNeedWidths)};
  double mean = 0, squares = 0;
  for (const auto& [x, y] : values) mean += x / static_cast<double>(values.size());
  for (const auto& [x, y] : values) squares += (x - mean) * (x - mean);
  for (size_t i = 0; i < values.size(); ++i) {
    const double weight = (values[i].first - mean) / squares;
    const SeedValues& y = values[i].second;
    slope = i == 0 ? Paired(y, y, [weight](double a, double) { return weight * a; })
                   : Paired(slope, y, [weight](double sum, double a) { return sum + weight * a; });
  }
  Finding finding = ByThreshold(rule, {{"change for each doubling of d", Summary(slope)}}, Side::kBelow, 0, arms);
  finding.figures.insert(finding.figures.end(), points.begin(), points.end());
  return {finding};
}

Findings WeightPrWithScale(const Studies& all) {
  const std::string rule = "PR of the weights over d rises with d, and farther than that of independent numbers";
  std::vector<ClaimFigure> figures;
  std::vector<std::pair<double, double>> points;  // PR/d, and PR of independent numbers over d
  std::vector<std::string> sources;
  Studies studies = all;
  std::erase_if(studies, [](const StudyInput* study) { return study->analysis.is_null(); });
  if (studies.size() < 2) return {NotTestable(rule, "analysis.json in studies of several widths")};
  for (const StudyInput* study : studies) {
    const io::JsonValue json(study->analysis, study->name + "/analysis.json");
    const auto d = static_cast<double>(study->width);
    points.emplace_back(json.Field("weight_pr").Field("value").Number() / d, json.Field("weight_pr_null").Number() / d);
    figures.push_back(Plain(report::Format("PR/d at d = %.0f (independent numbers: %.3f)", d, points.back().second),
                            points.back().first));
    sources.push_back(study->name + "/analysis.json");
  }
  bool rises = true;
  for (size_t i = 1; i < points.size(); ++i) {
    const double own = points[i].first / points[i - 1].first, chance = points[i].second / points[i - 1].second;
    rises = rises && own > 1 && own > chance;
  }
  return {ByFact(rule, rises ? Verdict::kHolds : Verdict::kDoesNotHold, figures, sources)};
}

}  // namespace ampgrad::train
