#pragma once

#include <vector>

#include "train/commands/options.h"

/// Options of every command: how much of the machine it uses.
namespace ampgrad::train {

/// --threads and --simd.
std::vector<OptionSpec> MachineOptionSpecs();

/// Does as they say, from here on. Throws UsageError for an instruction set that this CPU lacks.
void UseMachineOptions(const Options& options);

}  // namespace ampgrad::train
