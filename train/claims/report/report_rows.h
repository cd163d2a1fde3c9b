#pragma once

#include <string>
#include <vector>

#include "train/claims/study_input.h"
#include "train/study/efficiency.h"

/// The tables of a report as numbers, which its text, its files and its page share.
namespace ampgrad::train {

/// One arm over its seeds.
struct ArmRow {
  const Arm* arm = nullptr;
  Index trained = 0, total = 0;
  double lr = 0;
  Interval base_loss = {}, start_loss = {}, end_loss = {};
  Interval from_start = {}, from_base = {};  // measured by full SFT of its own scope and steps
  Interval against_full = {};                // end loss less that of the same full SFT
  Interval gap = {};                         // held-out less training loss at the end
  Interval answered = {};                    // share of held-out problems that are answered right
  Interval forgetting = {}, change_relative = {}, seconds_per_step = {}, memory = {};
  std::vector<Index> lines = {};  // of runs.jsonl
};

/// By plan, and within it by settings, whatever the order of the runs. They point into the study, which must outlive
/// them.
std::vector<ArmRow> ArmRows(const StudyInput& study);
std::vector<ArmRow> ArmRows(StudyInput&& study) = delete;

/// The plan that an arm stands under: the first of its groups in the order of the report; "other" without one.
std::string PlanOf(const Arm& arm);

/// S78's phases, by an interval of efficiency: "destructive" below 0, "breakeven" around it, "above 0", and "above
/// full" beyond 100 %; "–" without an interval.
const char* PhaseOf(const Interval& efficiency);

/// A figure of analysis.json for one K, such as "r2"; NaN where there is none.
double AnalysisAt(const StudyInput& study, Index k, const char* figure);

/// The name and the interval of each figure of a row, for tables and files.
struct ArmFigure {
  const char* name;
  Interval ArmRow::*interval;
};
const std::vector<ArmFigure>& ArmFigures();

}  // namespace ampgrad::train
