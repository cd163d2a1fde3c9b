#include "train/claims/report/report_text.h"

#include <algorithm>
#include <cmath>

#include "train/claims/report/report_rows.h"
#include "train/claims/report/report_tables.h"
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
    for (const ReportTable& table : StudyTables(study_)) text += TableText(table);
    return text + Rates();
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
    std::string plan;
    for (const ArmRow& row : rows_) {
      if (PlanOf(*row.arm) != plan) text += "– " + PlanOf(*row.arm) + "\n";
      plan = PlanOf(*row.arm);
      if (report::Width(row.arm->name) > 25) text += row.arm->name + "\n";
      text += Left(report::Width(row.arm->name) > 25 ? "" : row.arm->name, 26) +
              Right(report::Grouped(row.trained), 11) + Right(LossText(row.end_loss), 17) +
              Right(ShareText(row.from_start), 23) + Right(ShareText(row.from_base), 23) + "\n" +
              Incomplete(row.end_loss, row.from_base);
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

  const StudyInput& study_;
  const StudyRuns& runs_;
  std::vector<ArmRow> rows_;
};

std::string VerdictText(const std::vector<Finding>& findings, bool several) {
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
    "end)/(base − end of full SFT). Both are measured by full SFT of the same scope and steps. Corpus-asymmetry "
    "initialisation (S68) has no definition that could be tested.";

std::string FormatReport(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings) {
  std::string text;
  for (const StudyInput& study : studies) text += StudyText(study).All();
  text += TableText(ScaleTable(studies)) + Tally(findings) + VerdictText(findings, studies.size() > 1);
  text += report::Wrap(kReportLegend, 0) + "\n";
  for (const StudyInput& study : studies) {
    if (!study.settings.empty()) text += "\n" + study.name + "/study.json\n" + study.settings;
  }
  return text;
}

}  // namespace ampgrad::train
