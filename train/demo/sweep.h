#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "train/methods/method.h"
#include "train/run.h"
#include "train/study/rate_search.h"

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

/// A row of the table. Losses are held-out losses. What a run that diverged has no value for is NaN.
struct SweepRow {
  MethodSettings method;
  RateSearch rate;
  Index trained = 0;        // parameters that were trained
  double share = 0;         // of all parameters of the model
  double base_loss = 0;     // of the model as it was given
  double start_loss = NAN;  // at the method's step 0
  double end_loss = NAN;
  double seconds_per_step = NAN;
  /// (start − end of the method) / (start − end of full SFT): the papers' efficiency.
  double efficiency = NAN;
  /// (base − end of the method) / (base − end of full SFT).
  double from_base_efficiency = NAN;
  /// Where the run diverged, as a sentence. Empty for a run that ended.
  std::string diverged;
};

/// Told each time a row is done: all rows so far, of which the last is the one.
using OnRow = std::function<void(const std::vector<SweepRow>& rows)>;

/// Fine-tunes copies of `base`: full SFT, then amplitude-only SFT from both starts at every K. Learning rates come from
/// short runs judged on data.validation: one for full SFT and one for each start, found at the middle K by value. A run
/// that diverges costs its own row. Throws DivergedError when the loss of `base` itself is not finite, and
/// std::runtime_error when the largest run does not fit into memory.
std::vector<SweepRow> RunSweep(models::LanguageModel& base, const Data& data, const SweepOptions& options, RunLog& log,
                               const OnRow& on_row = nullptr);

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
