#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/study/study_runs.h"

namespace ampgrad::train {

/// Where the gradient capture comes from, beside the names of arms.
inline constexpr const char* kCaptureSource = "gradient capture at step 0";

/// What the directory of a study holds, as a report reads it.
struct StudyInput {
  std::string name;  // the directory, as it was given
  StudyRuns runs;
  std::vector<Index> lines;                              // of runs.jsonl, one for each of runs.runs()
  std::map<uint64_t, std::map<Index, double>> captures;  // gradient capture at step 0, by seed and K
  std::vector<Index> capture_lines;                      // the lines of runs.jsonl that hold them
  std::string settings;                                  // study.json as it is; empty without one
  nlohmann::json analysis;                               // of `ampgrad analyze --json`; null without one
  Index width = 0;                                       // d; 0: not known

  /// The line of runs.jsonl that holds this run.
  Index LineOf(const StudyRun& run) const;
  /// The lines that hold runs of the arm with this name; of kCaptureSource, those with the gradient capture.
  std::vector<Index> LinesOf(const std::string& arm) const;
  /// The gradient capture of every seed; a seed without one is missing.
  SeedValues Capture(Index k) const;
};

/// Reads runs.jsonl, and study.json and analysis.json where they are. The width d is `width`, or when that is 0 what
/// analysis.json says, or study.json under "width", or else the model that study.json names. Throws std::runtime_error
/// without runs.jsonl, and for a file that cannot be read as what it is.
StudyInput ReadStudy(const std::filesystem::path& directory, Index width);

}  // namespace ampgrad::train
