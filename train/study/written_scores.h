#pragma once

#include <filesystem>

#include "train/data/batch.h"
#include "train/study/arm.h"
#include "train/study/study_file.h"

namespace ampgrad::train {

/// Writes the scores of `tuned`, which came of `base` by an amplitude arm, as an adapter into a directory of its own
/// below `directory`, reads them back onto the base, and removes them: what the file weighs, and what it gives. Throws
/// std::runtime_error.
WrittenFile WeighScores(models::LanguageModel& base, models::LanguageModel& tuned, const Arm& arm,
                        const std::vector<Batch>& held_out, const std::filesystem::path& directory);

}  // namespace ampgrad::train
