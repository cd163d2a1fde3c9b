#pragma once

#include <functional>
#include <memory>
#include <string>

#include "train/ranks/ranks.h"

/// What every program of the project does around its commands.
namespace ampgrad::train {

/// Prepares the process: standard streams, memory, signals. Call it first.
void PrepareProgram();

/// Joins the ranks that mpirun has started this program as. All but the first become silent, but for what PrintError
/// says. Throws std::runtime_error.
void JoinRanks(std::unique_ptr<Ranks> ranks);

/// Runs a command and returns its exit code. An exception becomes one sentence on stderr that begins with `name`, and
/// code 1; wrong usage has code 2, a signal 128 + its number. Of several ranks only one says why all end: the first, or
/// the one that alone has met an error, which then names its rank.
int RunProtected(const std::string& name, const std::function<int()>& command);

/// Prints "NAME: MESSAGE" on stderr: no control characters, and no more than a screenful.
void PrintError(const std::string& name, const std::string& message);

/// Flushes the standard output. Returns `code`, or 1 when the output cannot be written and `code` is 0.
int FinishOutput(int code);

}  // namespace ampgrad::train
