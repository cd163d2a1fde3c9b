#pragma once

#include <vector>

#include "train/commands/options/options.h"
#include "train/ranks/ranks.h"

/// Options of every command.
namespace ampgrad::train {

/// --threads, --simd and --help.
std::vector<OptionSpec> CommonOptionSpecs();

/// Uses as much of the machine as they say, from here on. All cores are those of the machine, divided by the ranks on
/// it. Throws UsageError for an instruction set that this CPU lacks.
void UseCommonOptions(const Options& options, const Ranks& ranks);

}  // namespace ampgrad::train
