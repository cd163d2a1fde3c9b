#pragma once

#include <functional>
#include <string>

/// What every program of the project does around its commands.
namespace ampgrad::train {

/// Prepares the process: standard streams, memory, signals. Call it first.
void PrepareProgram();

/// Runs a command and returns its exit code. An exception becomes one sentence on stderr that begins with `name`, and
/// code 1; wrong usage has code 2, a signal 128 + its number.
int RunProtected(const std::string& name, const std::function<int()>& command);

/// Prints "NAME: MESSAGE" on stderr: no control characters, and no more than a screenful.
void PrintError(const std::string& name, const std::string& message);

/// Flushes the standard output. Returns `code`, or 1 when the output cannot be written and `code` is 0.
int FinishOutput(int code);

}  // namespace ampgrad::train
