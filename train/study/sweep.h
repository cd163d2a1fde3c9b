#pragma once

#include <string>
#include <vector>

#include "train/method.h"
#include "train/run.h"

namespace ampgrad::train {

struct SweepOptions {
  std::vector<Index> ks = {4, 8, 16, 32, 64};
  TrainOptions train;       // lr is found by search
  Index search_steps = 15;  // length of a search run
  std::vector<double> full_lrs = {1e-4, 3e-4, 1e-3};
  std::vector<double> amplitude_lrs = {1e-3, 3e-3, 1e-2, 3e-2};
  ct::RowsPolicy policy = ct::RowsPolicy::kBlocks;
  ct::Chain chain = ct::Chain::kFactored;
  ct::RowSample sample;
  Index batch = 0, length = 0;  // of the largest step, to refuse a sweep that does not fit into memory; 0: not checked
};

/// A row of the table. Losses are held-out losses.
struct SweepRow {
  MethodSettings method;
  Index trained;  // parameters that were trained
  double share;   // of all parameters of the model
  double lr;
  double base_loss;   // of the model as it was given
  double start_loss;  // at the method's step 0
  double end_loss;
  double seconds_per_step;
  /// (start − end of the method) / (start − end of full SFT): the papers' efficiency.
  double efficiency;
  /// (base − end of the method) / (base − end of full SFT).
  double from_base_efficiency;
};

/// Fine-tunes copies of `base`: full SFT, then amplitude-only SFT from both starts at every K. Learning rates come from
/// short runs judged on data.validation: one for full SFT and one for each start, found at the middle K.
std::vector<SweepRow> RunSweep(models::LanguageModel& base, const Data& data, const SweepOptions& options, RunLog& log);

/// The table, for a terminal and as Markdown at once.
std::string FormatTable(const std::vector<SweepRow>& rows);
/// What the columns of the table mean.
extern const char* const kTableLegend;
/// The same rows as a JSON array.
std::string TableJson(const std::vector<SweepRow>& rows);

}  // namespace ampgrad::train
