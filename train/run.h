#pragma once

#include <functional>
#include <string>

#include "models/language_model.h"
#include "train/data/batch.h"
#include "train/run_directory.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace ampgrad::train {

/// What a run does beside its steps. Numbers of steps; 0: never.
struct RunPlan {
  std::string label = {};  // of the run, in the log and on the terminal
  Index eval_every = 0;    // takes the loss of the validation part, or of the held-out one where there is none;
                           // at the last step, too
  bool keep_best = false;  // ends with the parameters of the best evaluation, not with the last
  Index patience = 0;      // evaluations in a row that are no better, after which the run ends
  Index save_every = 0;    // writes the state
  Index sample_every = 0;  // shows what `sample` returns
  std::function<std::string()> sample = nullptr;
  RunDirectory* directory = nullptr;  // of the state; null: the run cannot be resumed
};

struct RunResult {
  double seconds_per_step;  // of the steps that were taken here, without the evaluations and saves between
  Index steps;              // fewer than planned when patience ran out
  Index best_step;          // 0: there was no evaluation
  double best_loss;         // in nats; infinite without an evaluation
};

/// Trains `model` on the batches of `data` for all steps, or goes on from the state in the plan's directory. Shows
/// progress on stderr and writes every step to `log`, both under the plan's label. Throws as Trainer and RunDirectory
/// do, and Interrupted after the step in which the program noted a signal, once the state is saved.
RunResult RunTraining(models::LanguageModel& model, const Data& data, const TrainOptions& options, const RunPlan& plan,
                      RunLog& log);

}  // namespace ampgrad::train
