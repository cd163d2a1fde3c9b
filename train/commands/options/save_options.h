#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/commands/options/model_options.h"
#include "train/commands/options/options.h"
#include "train/methods/method.h"

/// What fine-tuning leaves on disk.
namespace ampgrad::train {

/// --save and --basis-file.
std::vector<OptionSpec> SaveOptionSpecs();

struct Save {
  bool adapter, merged;
};

/// What --save says. By default the adapter, where a small one exists: full fine-tuning and the start reconstructed are
/// saved merged. Throws UsageError for an adapter of a level, which trains nothing.
Save ReadSave(const Options& options, const MethodSettings& method, const GivenModel& given);

/// The basis of --basis-file, of which the first k or rank vectors serve. Throws std::runtime_error when the file has
/// another width than the model, or fewer vectors.
Bases ReadBasisFor(const std::filesystem::path& file, const models::LanguageModel& model, const MethodSettings& method);

/// Writes the adapter. With --basis-file, the basis is left to that file.
void SaveAdapter(const std::filesystem::path& directory, const Options& options, const MethodSettings& method,
                 const GivenModel& given, const Bases& bases);

/// "adapter: 53264 bytes, 1/712.4 of the base's 37947392"
std::string DescribeSize(const std::filesystem::path& directory, const GivenModel& given);

}  // namespace ampgrad::train
