#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options/options.h"
#include "train/ranks/ranks.h"
#include "train/study/study.h"

/// Which arms a study runs, how often, and whether it is the study that a directory holds.
namespace ampgrad::train {

/// --plan, --protocol, --fixed-rates, --quick, --seeds and --part.
std::vector<OptionSpec> PlanOptionSpecs();

/// The options with what --protocol, --fixed-rates and --quick bring with them for those that were not given. Throws
/// UsageError for options that exclude each other, and without --model or --data where there is no --quick.
Options WithPresets(const Options& options);
/// Whether a study is that of the built-in world: --quick without a model and data.
bool StudiesBuiltInWorld(const Options& given);

/// What they and the options of training say, without arms. The ranks of a program divide its part further.
StudyOptions ReadStudyOptions(const Options& options, const Ranks& ranks);

/// The arms of --protocol, or those of --plan: of a plan by its name, or of a file whose name ends in .json. With
/// --fixed-rates or --quick, no rate is searched.
std::vector<Arm> ReadArms(const Options& options, models::LanguageModel& model);

/// The study in --out; one in memory without --out. What its lines depend on and do not say is in its study.json:
/// settings, digests of inputs, the width. Throws std::runtime_error where that differs, as a study goes on only with
/// the same, or where an arm that was run differs from the one of its name in `arms`. Nothing is written with
/// --dry-run, and nothing compared but arms.
StudyFile OpenStudy(const Options& options, const models::LanguageModel& model, const std::vector<Arm>& arms);

}  // namespace ampgrad::train
