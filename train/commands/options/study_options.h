#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options/options.h"
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

/// What they and the options of training say, without arms.
StudyOptions ReadStudyOptions(const Options& options);

/// The arms of --protocol, or those of --plan: of a plan by its name, or of a file whose name ends in .json. With
/// --fixed-rates or --quick, no rate is searched.
std::vector<Arm> ReadArms(const Options& options, models::LanguageModel& model);

/// What a line of runs.jsonl depends on and does not say itself, as JSON: settings, digests of inputs, the width.
std::string Recipe(const Options& options, Index width);

/// Writes the recipe to study.json of the directory if that has none. Throws std::runtime_error where it has another:
/// a study goes on only with the same.
void RequireSameRecipe(const std::filesystem::path& directory, const std::string& recipe);

/// Throws std::runtime_error when an arm that the study has run differs from one of this name in `arms`.
void RequireSameArms(const std::filesystem::path& directory, const StudyFile& file, const std::vector<Arm>& arms);

}  // namespace ampgrad::train
