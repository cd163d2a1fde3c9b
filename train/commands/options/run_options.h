#pragma once

#include <memory>
#include <vector>

#include "ct/basis.h"
#include "models/language_model.h"
#include "models/tokenizer/tokenizer.h"
#include "train/commands/options/options.h"
#include "train/data/batch.h"
#include "train/run.h"

/// What a run does beside its steps, and how it stops and goes on: the options of commands that train one model.
namespace ampgrad::train {

/// --epochs, evaluation, samples, saving, --resume and --config.
std::vector<OptionSpec> RunOptionSpecs();

/// Sets the number of steps by --epochs where that is given: passes over `samples` samples, `batch` a step.
void SetEpochs(const Options& options, Index samples, Index batch, TrainOptions& train);

/// The plan, without its label. What it shows comes from `model` by the prompt of --sample-prompt or, without one, that
/// of the first held-out sequence: what precedes its first target. `ends` end a text. All must outlive the plan.
RunPlan ReadRunPlan(const Options& options, models::LanguageModel& model, const models::Tokenizer& tokenizer,
                    const Data& data, const std::vector<int>& ends);

/// The directory of the run's state, as RunDirectory's constructor checks it; null when the run that --resume names had
/// ended already, its result being in --out: it says so on stdout, and removes the directory. `command` is the
/// program's name and the command's; `base` is the model under an adapter.
std::unique_ptr<RunDirectory> OpenRunDirectory(const Options& options, const char* command,
                                               const std::filesystem::path& base = {});

/// Shows how much memory steps of `batch` sequences of at most `longest` tokens take, or of as many rows of `packed`
/// ones. Throws as RequireMemory does.
void ShowMemory(models::LanguageModel& model, const ct::Basis* basis, const TrainOptions& train, const RunPlan& plan,
                Index batch, Index longest, bool packed = false);

/// Shows how the ranks of this program share a step, and how many bytes each sends in one; nothing for one process.
void ShowRanks(models::LanguageModel& model, const TrainOptions& train);

/// Says which parameters a run ended with, where the evaluations had a say in it: of the best step, or of fewer steps
/// than the `steps` that were planned.
void Report(const RunResult& result, const RunPlan& plan, Index steps);

/// Writes the complete settings of the run into the directory of its output.
void WriteSettings(const Options& options, const std::filesystem::path& directory);

}  // namespace ampgrad::train
