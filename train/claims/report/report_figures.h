#pragma once

#include <string>
#include <vector>

#include "train/claims/report/report_rows.h"

/// The figures of a report.
namespace ampgrad::train {

/// A drawing, and what stands around it on a page. The drawing is empty where a study has nothing for it.
struct ReportFigure {
  std::string name;      // of its file: "k_curve_exact"
  std::string heading;   // plain
  std::string legend;    // HTML
  std::string svg;       // inline
  std::string sentence;  // plain: what it shows
};

/// Both efficiencies over K with their intervals as bands.
ReportFigure KCurveFigure(const StudyInput& study, ct::Start start);
/// Held-out loss over steps of full SFT and of both starts at the greatest compared K, means over seeds.
ReportFigure LearningFigure(const StudyInput& study);
/// End losses with their intervals, an arm to a row: those of a group of arms, "bases" or "peers".
ReportFigure EndLossFigureOf(const std::vector<ArmRow>& rows, const std::string& group);
/// A figure of an arm of which less is better.
struct Metric {
  const char* name;
  double (*of)(const ArmRow& row);
  bool log = false;  // its axis, which then holds what is above 0 alone
};
const std::vector<Metric>& Metrics();  // trained numbers and end loss first
/// One metric over another, with the front of those that no other arm beats in both.
ReportFigure ParetoFigure(const std::vector<ArmRow>& rows, const Metric& x, const Metric& y);
/// The arms that it compares: those with as many steps and samples as full SFT and a searched rate, as others did not
/// have the same chance.
std::vector<ArmRow> EqualRows(const StudyInput& study);
/// That of trained numbers and end loss, and on a page with a script that of any two metrics that a reader chooses.
/// `id` begins the ids of its parts. Empty without such a figure.
std::string ParetoChoice(const StudyInput& study, const std::string& id);
/// The gradient capture, and R² where the analysis is there, over K/d.
ReportFigure CaptureFigure(const StudyInput& study);
/// Validation loss over the rates that were tried, of the same arms as LearningFigure.
ReportFigure RateFigure(const StudyInput& study);

/// All of them that have something to show.
std::vector<ReportFigure> ReportFigures(const StudyInput& study);

/// A drawing as a file of its own, with the report's style in it.
std::string StandaloneSvg(const ReportFigure& figure);

}  // namespace ampgrad::train
