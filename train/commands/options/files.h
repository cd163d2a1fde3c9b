#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "train/commands/options/options.h"

namespace ampgrad::train {

/// Checks the files that options name before any work is done: each output must be possible to write, and must be
/// neither an input, nor another output, nor lie in the directory that is written. Options are known by their names,
/// which mean the same in every command. Throws std::runtime_error.
void CheckFiles(const Options& options);

/// Name and digest of every file that decides what a run computes: of the inputs that options name, the files
/// themselves, and of directories what describes a model in them; also of `base`, the model under an adapter. Throws
/// std::runtime_error when one cannot be read.
std::vector<std::pair<std::string, std::string>> DigestInputs(const Options& options,
                                                              const std::filesystem::path& base = {});

}  // namespace ampgrad::train
