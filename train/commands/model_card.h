#pragma once

#include <string>

#include "train/commands/options/model_options.h"

namespace ampgrad::train {

/// README.md of an adapter that others load: what it is, its base, and the record of the run that trained it, where the
/// adapter's directory has one.
std::string ModelCard(const GivenModel& given);

}  // namespace ampgrad::train
