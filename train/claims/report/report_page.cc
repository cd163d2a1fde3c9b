#include "train/claims/report/report_page.h"

#include <cmath>

#include "train/claims/report/report_figures.h"
#include "train/claims/report/report_rows.h"
#include "train/claims/report/report_tables.h"
#include "train/claims/report/report_text.h"
#include "train/report/format.h"
#include "train/report/grouped.h"
#include "train/report/html.h"
#include "train/report/script.h"
#include "train/spectra/spectra_plots.h"

namespace ampgrad::train {
namespace {

using report::Cell;
using report::Escape;
using report::NumberCell;

// "3–7, 12" of the lines 3, 4, 5, 6, 7 and 12.
std::string LineRanges(const std::vector<Index>& lines) {
  std::string text;
  for (size_t i = 0; i < lines.size();) {
    size_t last = i;
    while (last + 1 < lines.size() && lines[last + 1] == lines[last] + 1) ++last;
    text += (text.empty() ? "" : ", ") + std::to_string(lines[i]);
    if (last > i) text += "–" + std::to_string(lines[last]);
    i = last + 1;
  }
  return text;
}

std::string Header(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings,
                   const std::string& command) {
  int counts[4] = {};
  for (const Finding& finding : findings) ++counts[static_cast<int>(finding.verdict)];
  std::string facts;
  for (const Verdict verdict : {Verdict::kHolds, Verdict::kDoesNotHold, Verdict::kUndecided, Verdict::kNotTestable}) {
    facts += report::Fact(ToString(verdict), std::to_string(counts[static_cast<int>(verdict)]),
                          report::Format("of %zu verdicts on %d claims", findings.size(), kClaims));
  }
  std::string names;
  for (const StudyInput& study : studies) names += (names.empty() ? "" : ", ") + study.name;
  return "<header>\n<h1>What the study found: " + Escape(names) + "</h1>\n<dl class=\"facts\">\n" + facts +
         "</dl>\n<p>" + Escape(kReportLegend) + "</p>\n<p>The same again: <code>" + Escape(command) +
         "</code></p>\n</header>\n";
}

std::string WideCell(const std::string& html) { return "<td class=\"wide\">" + html + "</td>"; }

std::string VerdictSection(const std::vector<Finding>& findings, bool several) {
  std::string rows;
  for (const Finding& finding : findings) {
    std::string figures, arms;
    for (const ClaimFigure& figure : finding.figures)
      figures += (figures.empty() ? "" : "<br>") + Escape(Describe(figure));
    for (const std::string& arm : finding.arms) arms += (arms.empty() ? "" : ", ") + arm;
    const std::string where = several && !finding.study.empty() ? " [" + finding.study + "]" : "";
    rows += report::NamedRow(finding.id + ": " + finding.claim, true,
                             Cell("<strong>" + std::string(ToString(finding.verdict)) + "</strong>" + Escape(where)) +
                                 WideCell(Escape(finding.rule)) + WideCell(figures) + Cell(Escape(arms)) +
                                 Cell(Escape(finding.decides)));
  }
  const std::vector<report::Column> columns = {{"claim"},   {"verdict"}, {"it holds if"},
                                               {"figures"}, {"arms"},    {"what would decide it"}};
  return report::Section("The claims",
                         "Each verdict rests on the figures beside it. Nothing is called better unless its interval "
                         "says so.",
                         "<div class=\"tall wrap\">\n" + report::SortableTable("Verdicts", columns, rows) + "</div>\n");
}

std::string Arms(const StudyInput& study) {
  std::string rows;
  for (const ArmRow& row : ArmRows(study)) {
    const auto share = [](const Interval& interval) { return NumberCell(Escape(ShareText(interval))); };
    rows += report::NamedRow(
        row.arm->name, true,
        NumberCell(report::Grouped(row.trained)) + NumberCell(std::isnan(row.lr) ? "–" : report::Format("%g", row.lr)) +
            NumberCell(Escape(LossText(row.start_loss))) + NumberCell(Escape(LossText(row.end_loss))) +
            share(row.from_start) + share(row.from_base) + NumberCell(Escape(LossText(row.gap))) +
            Cell(PlanOf(*row.arm)) + Cell(Escape(DescribeSeeds(row.end_loss))) + Cell(LineRanges(row.lines)));
  }
  const std::vector<report::Column> columns = {{"arm"},
                                               {"trained", true},
                                               {"rate", true},
                                               {"start loss", true},
                                               {"end loss", true},
                                               {"papers' efficiency, %", true},
                                               {"from base, %", true},
                                               {"held-out − train", true},
                                               {"plan"},
                                               {"seeds"},
                                               {"lines of runs.jsonl"}};
  return "<div class=\"tall\">\n" + report::SortableTable("Every arm", columns, rows) + "</div>\n";
}

}  // namespace

std::string ReportPage(const std::vector<StudyInput>& studies, const std::vector<Finding>& findings,
                       const std::string& command) {
  std::string body = Header(studies, findings, command);
  int number = 0;
  for (const StudyInput& study : studies) {
    std::string figures;
    const std::string pareto = "pareto-" + std::to_string(++number);
    for (const ReportFigure& figure : ReportFigures(study)) {
      figures += figure.name == "pareto" ? ParetoChoice(study, pareto)
                                         : Picture(Escape(figure.heading), figure.legend, figure.svg, figure.sentence);
    }
    std::string tables;
    for (const ReportTable& table : StudyTables(study)) tables += TableHtml(table);
    const std::string settings = study.settings.empty() ? ""
                                                        : "<details><summary>Settings: study.json</summary>\n<pre>" +
                                                              Escape(study.settings) + "</pre></details>\n";
    body += report::Section("The study " + study.name, "Figures over seeds, with 95 % intervals.",
                            "<div class=\"charts\">\n" + figures + "</div>\n" + Arms(study) + tables + settings);
  }
  body += report::Section("Scale", "The studies beside each other, and what S76 prints of its two models.",
                          TableHtml(ScaleTable(studies)));
  return report::Page("ampgrad report", body + VerdictSection(findings, studies.size() > 1), report::kReportScript);
}

}  // namespace ampgrad::train
