#pragma once

#include <string>

#include "tests/fuzz/commands/limited_run.h"

namespace ampgrad::fuzz {

/// What a run did that no input may make a program do, in a few words: crash, hang, a finding of a sanitizer, a raw
/// exception, a failure without a sentence, a text that a terminal obeys, more memory than `most_mb`. Empty when the
/// run is in order.
std::string FaultOf(const LimitedRun& run, double most_mb);

}  // namespace ampgrad::fuzz
