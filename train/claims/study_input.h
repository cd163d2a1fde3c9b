#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/study/study_file.h"
#include "train/study/study_runs.h"

namespace ampgrad::train {

/// Where figures that are not of an arm's runs come from, beside the names of arms.
inline constexpr const char* kCaptureSource = "gradient capture at step 0";
inline constexpr const char* kCutSource = "cut scores";
/// The same of a written file.
std::string SourceOf(const WrittenFile& file);

/// What the directory of a study holds, as a report reads it.
struct StudyInput {
  std::string name;  // the directory, as it was given
  StudyRuns runs;
  std::vector<Index> lines;                              // of runs.jsonl, one for each of runs.runs()
  std::map<uint64_t, std::map<Index, double>> captures;  // gradient capture at step 0, by seed and K
  std::vector<Index> capture_lines;                      // the lines of runs.jsonl that hold them
  std::vector<CutScores> cuts;                           // what cutting each matrix's scores costs, and its line
  Index cuts_line = 0;
  std::vector<WrittenFile> files;  // fine-tuned models as files of scores, and a line for each
  std::vector<Index> file_lines;
  std::string settings;     // study.json as it is; empty without one
  nlohmann::json analysis;  // of `ampgrad analyze --json`; null without one
  Index width = 0;          // d; 0: not known

  /// The line of runs.jsonl that holds this run.
  Index LineOf(const StudyRun& run) const;
  /// The lines that hold runs of the arm with this name, or what the source of this name stands for.
  std::vector<Index> LinesOf(const std::string& arm) const;
  /// The gradient capture of every seed; a seed without one is missing.
  SeedValues Capture(Index k) const;
};

/// Reads runs.jsonl, and study.json and analysis.json where they are. The width d is `width`, or when that is 0 what
/// analysis.json says, or study.json under "width", or else the model that study.json names. Throws std::runtime_error
/// without runs.jsonl, and for a file that cannot be read as what it is.
StudyInput ReadStudy(const std::filesystem::path& directory, Index width);

}  // namespace ampgrad::train
