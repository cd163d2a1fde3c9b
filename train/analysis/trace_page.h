#pragma once

#include <string>

#include "train/analysis/trace.h"

namespace ampgrad::train {

/// The chain of one number as a page that needs nothing but itself: the graph of ops, then each step of the chain, by
/// the arrow keys or, without a script, one below the other. `label` and `command` say how the model is trained and
/// what makes the page again.
std::string FormatTracePage(const Trace& trace, const TraceOptions& options, const std::string& label,
                            const std::string& command);

}  // namespace ampgrad::train
