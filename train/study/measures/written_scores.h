#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/data/batch.h"
#include "train/study/plans/arm.h"

namespace ampgrad::train {

/// Bytes of a fine-tuned model that is written as scores, and what it gives.
struct WrittenFile {
  std::string arm;   // whose first seed was written
  Index model = 0;   // of the given model's weights, as a file of its own
  Index scores = 0;  // of the file of scores
  Index basis = 0;   // of it those that every variant shares: the basis and the mean row
  Index frozen =
      0;            // of the tensors that are not rebuilt from scores, which a file without the model must hold as well
  double loss = 0;  // held-out, of the model read back from the file
};

/// Writes the scores of `tuned`, which came of `base` by an amplitude arm, as an adapter into a directory of its own
/// below `directory`, reads them back onto the base, and removes them: what the file weighs, and what it gives. Throws
/// std::runtime_error.
WrittenFile WeighScores(models::LanguageModel& base, models::LanguageModel& tuned, const Arm& arm,
                        const std::vector<Batch>& held_out, const std::filesystem::path& directory);

}  // namespace ampgrad::train
