#pragma once

#include <string>
#include <vector>

#include "train/commands/commands.h"

/// `ampgrad help`: everything that the program says of itself, from the tables of its commands.
namespace ampgrad::train {

/// The options of a command, those of every command included.
std::vector<OptionSpec> AllOptions(const Command& command);

/// "  --threads N      threads to use …": what `ampgrad COMMAND --help` prints.
std::string DescribeCommand(const Command& command);

/// The commands and the topics.
std::string DescribeProgram(const std::vector<Command>& commands);

/// Runs `ampgrad help` of that version and returns its exit code. Throws UsageError for what is neither a command nor a
/// topic.
int Help(const std::vector<Command>& commands, const std::string& version, const Options& options);

}  // namespace ampgrad::train
