#pragma once

#include <string>
#include <vector>

#include "train/commands/commands.h"

namespace ampgrad::train {

/// The completion of bash, from the tables of the commands: their names, their options, and what a value is: a file, a
/// directory, or one of a few words. It needs nothing but bash and runs no program.
std::string BashCompletion(const std::vector<Command>& commands);

}  // namespace ampgrad::train
