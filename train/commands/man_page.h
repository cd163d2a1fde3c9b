#pragma once

#include <string>
#include <vector>

#include "train/commands/commands.h"

/// Manual pages in the man macros of roff, from the tables of the commands. They are plain ASCII: other letters are
/// written by their code points, so that a page reads the same with every formatter and locale.
namespace ampgrad::train {

/// ampgrad(1): the commands and the topics.
std::string ProgramPage(const std::vector<Command>& commands, const std::string& version);

/// ampgrad-COMMAND(1): its options, as `ampgrad COMMAND --help` lists them, and examples.
std::string CommandPage(const Command& command, const std::string& version);

}  // namespace ampgrad::train
