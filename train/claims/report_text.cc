#include "train/claims/report_text.h"

#include <algorithm>
#include <cmath>

#include "train/claims/report_rows.h"
#include "train/report/columns.h"
#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

using report::Format;
using report::Left;
using report::Right;

// One study's sections.
class StudyText {
 public:
  explicit StudyText(const StudyInput& study) : study_(study), runs_(study.runs), rows_(ArmRows(study)) {}

  std::string All() const {
    std::string text = Head() + Arms();
    for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) text += Curve(start) + Returns(start);
    return text + Rates() + Captures();
  }

 private:
  std::string Head() const {
    const auto diverged =
        std::ranges::count_if(runs_.runs(), [](const StudyRun& run) { return !run.diverged.empty(); });
    const std::string width = study_.width > 0 ? Format(", d = %lld", static_cast<long long>(study_.width)) : "";
    return report::Wrap(Format("%s: %zu runs of %zu arms with %zu seeds%s; %td diverged", study_.name.c_str(),
                               runs_.runs().size(), rows_.size(), runs_.seeds().size(), width.c_str(), diverged),
                        2) +
           "\n\n";
  }

  // Lines below a row whose figures lack seeds, or whose efficiency is not printed.
  std::string Incomplete(const Interval& loss, const Interval& efficiency) const {
    const auto lacks = [](const Interval& interval) { return interval.missing > 0 || interval.diverged > 0; };
    std::string text = lacks(loss) ? "      " + DescribeSeeds(loss) + "\n" : "";
    const bool other = efficiency.missing != loss.missing || efficiency.diverged != loss.diverged;
    if (lacks(efficiency) && other) text += "      efficiency: " + DescribeSeeds(efficiency) + "\n";
    if (loss.HasMean() && !efficiency.HasMean()) text += report::Wrap("      efficiency: " + efficiency.why, 8) + "\n";
    return text;
  }

  std::string Arms() const {
    std::string text = Left("arm", 26) + Right("trained", 11) + Right("end loss", 17) + Right("papers' eff., %", 23) +
                       Right("from base, %", 23) + "\n";
    for (const ArmRow& row : rows_) {
      if (report::Width(row.arm->name) > 25) text += row.arm->name + "\n";
      text += Left(report::Width(row.arm->name) > 25 ? "" : row.arm->name, 26) +
              Right(report::Grouped(row.trained), 11) + Right(LossText(row.end_loss), 17) +
              Right(ShareText(row.from_start), 23) + Right(ShareText(row.from_base), 23) + "\n" +
              Incomplete(row.end_loss, row.from_base);
    }
    return text + "\n";
  }

  std::string Curve(ct::Start start) const {
    const std::vector<CurvePoint> curve = KCurve(runs_, start);
    if (curve.empty()) return "";
    std::string text = Left(std::string(ct::ToString(start)) + ", K", 17) + Right("captured", 9) + Right("R²", 7) +
                       Right("papers', %", 23) + Right("from base, %", 23) + Right("each %", 8) + "  phase\n";
    const auto share = [](double value) { return std::isnan(value) ? std::string("–") : Format("%.4f", value); };
    for (const CurvePoint& point : curve) {
      const double each = point.TrainedPerPoint();
      text += Left(std::to_string(point.k), 17) + Right(share(AnalysisAt(study_, point.k, "variance_captured")), 9) +
              Right(share(AnalysisAt(study_, point.k, "r2")), 7) + Right(ShareText(point.from_start), 23) +
              Right(ShareText(point.from_base), 23) +
              Right(std::isnan(each) ? "–" : report::Grouped(std::llround(each)), 8) + "  " + PhaseOf(point.from_base) +
              "\n" + Incomplete(point.end_loss, point.from_base);
    }
    if (const Arm* best = BestK(runs_, start)) {
      text += "lowest mean end loss: K = " + std::to_string(best->method.k);
      const ClaimFigure reach = {"K that reaches 80 % from the base", Summary(KReaching(runs_, start, 0.8)),
                                 FigureUnit::kNumber};
      text += "\n" + report::Wrap(Describe(reach), 2) + "\n";
    }
    return text + "\n";
  }

  std::string Returns(ct::Start start) const {
    const auto papers = MarginalReturns(runs_, start, Gain::kFromStart);
    const auto base = MarginalReturns(runs_, start, Gain::kFromBase);
    if (papers.empty()) return "";
    std::string text = Left(std::string("points for each K, ") + ct::ToString(start), 40) + Right("papers'", 24) +
                       Right("from base", 24) + "\n";
    for (size_t i = 0; i < papers.size(); ++i) {
      text += Left(Format("%lld to %lld", static_cast<long long>(papers[i].from->method.k),
                          static_cast<long long>(papers[i].to->method.k)),
                   40) +
              Right(ShareText(papers[i].per_k, 2), 24) + Right(ShareText(base[i].per_k, 2), 24) + "\n" +
              Incomplete(base[i].per_k, base[i].per_k);
    }
    return text + "\n";
  }

  std::string Rates() const {
    std::string text = "learning rates, and the losses of the search\n";
    for (const ArmRow& row : rows_) {
      if (row.arm->IsLevel()) continue;
      const auto run = std::ranges::find(runs_.runs(), row.arm->name, [](const StudyRun& r) { return r.arm.name; });
      const std::string edge = run->rate.at_edge ? ", at the edge" : "";
      const std::string tried = run->rate.tried.empty() ? "fixed" : Describe(run->rate.tried);
      text += report::Wrap(Format("%s: %g%s (", row.arm->name.c_str(), row.lr, edge.c_str()) + tried + ")", 4) + "\n";
    }
    return text + "\n";
  }

  std::string Captures() const {
    if (study_.captures.empty()) return "";
    std::string text = Left("gradient capture, K", 34) + Right("‖dW·Bᵀ‖²/‖dW‖², %", 24) + Right("K/d, %", 12) + "\n";
    for (const auto& [k, share] : study_.captures.begin()->second) {
      const Interval capture = Summary(study_.Capture(k));
      const double chance = 100 * static_cast<double>(k) / static_cast<double>(study_.width);
      text += Left(std::to_string(k), 34) + Right(ShareText(capture), 24) +
              Right(study_.width > 0 ? Format("%.2f", chance) : "–", 12) + "\n" + Incomplete(capture, capture);
    }
    return text + "\n";
  }

  const StudyInput& study_;
  const StudyRuns& runs_;
  std::vector<ArmRow> rows_;
};

// S76's table of scale, with a column for each study.
std::string Scale(const std::vector<StudyInput>& studies) {
  if (studies.size() < 2) return "";
  std::string text = "the studies beside each other (S76 has K 8 and 32, 92 % and 53 % at d = 256 and 2048)\n" +
                     Left("start", 15) + Right("d", 7) + Right("best K", 8) + Right("trained", 11) +
                     Right("share", 12) + Right("papers', %", 22) + Right("from base, %", 22) + "\n";
  for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
    for (const StudyInput& study : studies) {
      const Arm* best = BestK(study.runs, start);
      if (!best) continue;
      for (const ArmRow& row : ArmRows(study)) {
        if (row.arm->name != best->name) continue;
        text += Left(ct::ToString(start), 15) + Right(study.width > 0 ? std::to_string(study.width) : "–", 7) +
                Right(std::to_string(best->method.k), 8) + Right(report::Grouped(row.trained), 11) +
                Right(report::Percent(static_cast<double>(row.trained) / static_cast<double>(row.total)), 12) +
                Right(ShareText(row.from_start), 22) + Right(ShareText(row.from_base), 22) + "\n";
      }
    }
  }
  return text + "\n";
}

std::string Verdicts(const std::vector<Finding>& findings, bool several) {
  std::string text, last;
  for (const Finding& finding : findings) {
    if (finding.id != last) text += "\n" + report::Wrap(finding.id + ": " + finding.claim, 4) + "\n";
    last = finding.id;
    const std::string where = several && !finding.study.empty() ? " [" + finding.study + "]" : "";
    text += report::Wrap("  " + std::string(ToString(finding.verdict)) + where + ": " + finding.rule, 6) + "\n";
    for (const ClaimFigure& figure : finding.figures) text += report::Wrap("      " + Describe(figure), 8) + "\n";
    if (!finding.decides.empty()) text += report::Wrap("      to decide it: " + finding.decides, 8) + "\n";
  }
  return text + "\n";
}

std::string Tally(const std::vector<Finding>& findings) {
  int counts[4] = {};
  for (const Finding& finding : findings) ++counts[static_cast<int>(finding.verdict)];
  return Format("%d claims, %zu verdicts: %d hold, %d do not, %d undecided, %d not testable here\n", kClaims,
                findings.size(), counts[0], counts[1], counts[2], counts[3]);
}

}  // namespace

const char* const kReportLegend =
    "Figures are means over seeds with two-sided 95 % intervals by Student's t, paired by seed; intervals cover seeds, "
    "not models. papers' efficiency: (start − end)/(start − end of full SFT), whose starts differ; from base: (base − "
    "end)/(base − end of full SFT). Both are measured by full SFT of the same scope and steps. each %: trained numbers "
    "for each point from the base. Corpus-asymmetry "
    "initialisation (S68) has no definition that could be tested.";

std::string ShareText(const Interval& interval, int decimals) {
  if (!interval.HasMean()) return "–";
  const auto percent = [decimals](double share) {
    return Format("%.*f", std::abs(share) >= 0.9995 ? 0 : decimals, 100 * share);
  };
  const std::string mean = percent(interval.mean);
  return interval.HasEnds() ? mean + " (" + percent(interval.low) + " to " + percent(interval.high) + ")" : mean;
}

std::string LossText(const Interval& interval) {
  if (!interval.HasMean()) return interval.diverged > 0 ? "diverged" : "–";
  const std::string mean = Format("%.4f", interval.mean);
  return interval.HasEnds() ? mean + Format(" ±%.4f", interval.HalfWidth()) : mean;
}

std::string FormatReport(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings) {
  std::string text;
  for (const StudyInput& study : studies) text += StudyText(study).All();
  text += Scale(studies) + Tally(findings) + Verdicts(findings, studies.size() > 1);
  text += report::Wrap(kReportLegend, 0) + "\n";
  for (const StudyInput& study : studies) {
    if (!study.settings.empty()) text += "\n" + study.name + "/study.json\n" + study.settings;
  }
  return text;
}

}  // namespace ampgrad::train
