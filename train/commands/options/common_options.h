#pragma once

#include <vector>

#include "train/commands/options/options.h"

/// Options of every command.
namespace ampgrad::train {

/// --threads, --simd and --help.
std::vector<OptionSpec> CommonOptionSpecs();

/// Uses as much of the machine as they say, from here on. Throws UsageError for an instruction set that this CPU lacks.
void UseCommonOptions(const Options& options);

}  // namespace ampgrad::train
