#pragma once

#include <optional>

#include "models/language_model.h"
#include "train/data/batch.h"

namespace ampgrad::train {

/// The loss of one batch on a tape, a scalar in nats: the sum over its targets, divided by `count`; by default their
/// mean. The pass begins where `batch.hidden` says. Throws std::invalid_argument when there is no target to divide by.
Var BatchLoss(models::LanguageModel& model, Tape& tape, const Batch& batch, std::optional<Index> count = {});

}  // namespace ampgrad::train
