#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "train/study/study.h"

/// The frontier of one seed as a table: full SFT, and amplitude from both starts at every K.
namespace ampgrad::train {

struct SweepOptions {
  std::vector<Index> ks = {4, 8, 16, 32, 64};
  TrainOptions train;       // lr is found by search
  Index search_steps = 15;  // length of a search run
  std::vector<double> full_lrs = {1e-4, 3e-4, 1e-3};
  std::vector<double> amplitude_lrs = {1e-3, 3e-3, 1e-2, 3e-2};
  ct::RowsPolicy policy = ct::RowsPolicy::kBlocks;
  nn::Chain chain = nn::Chain::kFactored;
  ct::RowSample sample;
  Index batch = 0, length = 0;  // of the largest step, to refuse a sweep that does not fit into memory; 0: not checked
};

/// A row of the table: a run, and its efficiencies by train/study/efficiency.h; NaN where that of full SFT or its own
/// diverged.
struct SweepRow {
  StudyRun run;
  double efficiency = NAN;            // the papers', from the start
  double from_base_efficiency = NAN;  // from the given model
  /// Trained numbers over all of the model's.
  double Share() const { return static_cast<double>(run.trained) / static_cast<double>(run.total); }
};

/// Told each time a row is done: all rows so far, of which the last is the one.
using OnRow = std::function<void(const std::vector<SweepRow>& rows)>;

/// The arms of a sweep: full SFT, then amplitude from both starts at every K, in the order of the rows. Rates are
/// searched once for full SFT and once for each start, at the middle K by value, of an even count the upper one.
std::vector<Arm> SweepArms(const SweepOptions& options);

/// Runs the arms with one seed as a study does, those that `file` has not yet. A run that diverges costs its own row.
/// Throws as RunStudy does, and std::runtime_error when the largest run does not fit into memory.
std::vector<SweepRow> RunSweep(models::LanguageModel& base, const Data& data, const SweepOptions& options,
                               StudyFile& file, const OnRow& on_row = nullptr);

/// The head of the table and one of its lines, for a terminal and as Markdown at once.
extern const char* const kTableHead;
std::string FormatRow(const SweepRow& row);
/// Prints the last of `rows` as a line of the table; before the first, the head of the table.
void PrintLastRow(const std::vector<SweepRow>& rows);
/// What the columns of the table mean.
extern const char* const kTableLegend;
/// The same rows as a JSON array.
std::string TableJson(const std::vector<SweepRow>& rows);

}  // namespace ampgrad::train
