#pragma once

#include <string>
#include <vector>

#include "train/claims/study_input.h"
#include "train/report/html.h"

/// The tables of a report, which its text, its page and its files share.
namespace ampgrad::train {

/// What stands in a place of a table: the figure where there is one, and how it is written.
struct TableCell {
  std::string text;
  Interval figure = {};

  bool HasFigure() const { return figure.HasMean() || figure.seeds + figure.missing + figure.diverged > 0; }
};

struct TableRow {
  std::string name;
  std::vector<TableCell> cells;         // one for each column but the first
  std::vector<Index> lines = {};        // of runs.jsonl
  std::vector<std::string> notes = {};  // plain
};

struct TableColumn {
  std::string key;  // in files
  report::Column head;
};

struct ReportTable {
  std::string name;     // in files: "decomposition"
  std::string heading;  // plain
  std::vector<TableColumn> columns;
  std::vector<TableRow> rows = {};
  std::string note = {};  // plain: what stands in it, and what the papers print
};

/// Those of one study that have something to show: the K curves with their returns, S72's decomposition and comparison,
/// S78's printed curve, the gradient capture, the papers' protocol, arms at the norm of another, few samples, freezing,
/// answers.
std::vector<ReportTable> StudyTables(const StudyInput& study);
/// S76's table of scale, over all studies.
ReportTable ScaleTable(const std::vector<StudyInput>& studies);

std::string TableText(const ReportTable& table);
std::string TableHtml(const ReportTable& table);

/// "87.3 (85.1 to 89.5)" in per cent, whole from 100 on; "–" without a mean, the mean alone without an interval.
std::string ShareText(const Interval& interval, int decimals = 1);
/// "87.3 ±2.2".
std::string ShortShareText(const Interval& interval, int decimals = 1);
/// "2.1034 ±0.0021", where ± is half of the interval; without it where it is less than 5e-5.
std::string LossText(const Interval& interval);

}  // namespace ampgrad::train
