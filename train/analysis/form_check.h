#pragma once

#include <filesystem>

#include "train/analysis/comparison.h"

namespace ampgrad::train {

/// Compares the weight forms that forms.safetensors and forms.json of a reference directory hold, with factors that are
/// all random: gradients at step 0 on `batch`, by both chains, merged matrices, and loss curves. Nothing when the
/// directory has no such files. Throws std::runtime_error when they cannot be read.
void CheckForms(const std::filesystem::path& directory, models::LanguageModel& base, const Batch& batch,
                Comparison& result);

}  // namespace ampgrad::train
