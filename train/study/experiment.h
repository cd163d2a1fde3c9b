#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "train/progress.h"
#include "train/scope.h"
#include "train/trainer.h"

namespace ampgrad::train {

/// A fine-tuning method: full SFT, or amplitude-only SFT from a start with K scores a row.
struct Method {
  bool amplitude = false;
  ct::Start start = ct::Start::kExact;
  Index k = 0;
  ct::Chain chain = ct::Chain::kExplicit;  // changes the time of a step, and what it learns by rounding alone
  Scope scope = {};

  /// "full", "exact K=8".
  std::string Label() const;
};

/// Makes a model trainable by `method`, and freezes the rest. Full SFT trains every parameter or, of a scope that is not all
/// layers, the matrices of its blocks (norms and biases stay, as in the papers' counts). Amplitude SFT trains the scores of
/// those matrices in scope that `policy` selects; only they leave their dense form. A scope with the head trains that matrix
/// too. `basis` needs at least method.k vectors and is unused by full SFT.
void Prepare(models::LanguageModel& model, const Method& method, const std::shared_ptr<const ct::Basis>& basis,
             ct::RowsPolicy policy);

struct SweepOptions {
  std::vector<Index> ks = {4, 8, 16, 32, 64};
  TrainOptions train;       // lr is found by search
  Index search_steps = 15;  // length of a search run
  std::vector<double> full_lrs = {1e-4, 3e-4, 1e-3};
  std::vector<double> amplitude_lrs = {1e-3, 3e-3, 1e-2, 3e-2};
  ct::RowsPolicy policy = ct::RowsPolicy::kBlocks;
  ct::Chain chain = ct::Chain::kFactored;
  ct::Sample sample;
};

/// A row of the table. Losses are held-out losses.
struct SweepRow {
  Method method;
  Index trained;  // numbers that were trained
  double share;   // of all numbers of the model
  double lr;
  double base_loss;   // of the model before anything was done to it
  double start_loss;  // at the method's step 0
  double end_loss;
  double seconds_per_step;
  /// (start − end of the method) / (start − end of full SFT): the papers' figure.
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
