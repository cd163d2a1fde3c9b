#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "train/commands/options/options.h"
#include "train/study/study.h"

/// Which arms a study runs, how often, and whether it is the study that a directory holds.
namespace ampgrad::train {

/// --plan, --protocol, --fixed-rates, --seeds and --part.
std::vector<OptionSpec> PlanOptionSpecs();

/// The options with what --protocol and --fixed-rates bring with them for those that were not given. Throws UsageError
/// for options that exclude each other.
Options WithPresets(const Options& options);

/// What they and the options of training say, without arms.
StudyOptions ReadStudyOptions(const Options& options);

/// The arms of --protocol, or those of --plan: of a plan by its name, or of a file whose name ends in .json. With
/// --fixed-rates, no rate is searched.
std::vector<Arm> ReadArms(const Options& options, models::LanguageModel& model);

/// What a line of runs.jsonl depends on and does not say itself, as JSON: settings, digests of inputs, the width.
std::string Recipe(const Options& options, Index width);

/// Writes the recipe to study.json of the directory if that has none. Throws std::runtime_error where it has another:
/// a study goes on only with the same.
void RequireSameRecipe(const std::filesystem::path& directory, const std::string& recipe);

/// Throws std::runtime_error when an arm that the study has run differs from one of this name in `arms`.
void RequireSameArms(const std::filesystem::path& directory, const StudyFile& file, const std::vector<Arm>& arms);

}  // namespace ampgrad::train
