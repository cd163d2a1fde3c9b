#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "train/study/measures/cut_scores.h"
#include "train/study/measures/written_scores.h"
#include "train/study/study_run.h"

namespace ampgrad::train {

/// The lines of DIR/runs.jsonl: what a study has done. Several processes may add to it. A line is added by one write
/// under a lock and brought to disk, so a process that is killed leaves whole lines, or at its end a part of one, which
/// is ignored by who reads the file, and cut off by the next process that adds to it.
class StudyFile {
 public:
  /// Of no directory: what is added is kept in memory alone.
  StudyFile() = default;
  /// Reads the file, if it is there. Throws std::runtime_error for a line that is no record, with its number.
  explicit StudyFile(const std::filesystem::path& directory);

  /// Runs that are done, in the order of the file.
  const std::vector<StudyRun>& runs() const { return runs_; }
  bool HasRun(const std::string& arm, uint64_t seed) const;
  /// The validation losses that a search has seen, by rate.
  const std::map<double, double>& Tried(const std::string& arm) { return tried_[arm]; }
  /// ‖ΔW‖ after the steps of a search, by rate.
  const std::map<double, double>& Norms(const std::string& arm) { return norms_[arm]; }
  /// How many rates the search of an arm has seen.
  size_t TriedCount(const std::string& arm) const;
  /// The gradient capture at step 0, by seed and K.
  const std::map<uint64_t, std::map<Index, double>>& captures() const { return captures_; }
  /// The lines of the file as it was read, from 1 on, that hold each of the runs, and the captures.
  const std::vector<Index>& run_lines() const { return run_lines_; }
  const std::vector<Index>& capture_lines() const { return capture_lines_; }
  /// What cutting the scores of each matrix costs, at the K that the plans compare; empty while it was not taken.
  const std::vector<CutScores>& cuts() const { return cuts_; }
  /// The written files, by arm.
  const std::vector<WrittenFile>& files() const { return files_; }
  /// The lines that hold them; 0 for cuts that were not taken.
  Index cuts_line() const { return cuts_line_; }
  const std::vector<Index>& file_lines() const { return file_lines_; }

  void AddRun(const StudyRun& record);
  void AddTried(const std::string& arm, double lr, double loss);
  void AddNorm(const std::string& arm, double lr, double norm);
  void AddCapture(uint64_t seed, const std::map<Index, double>& by_k);
  void AddCuts(Index k, const std::vector<CutScores>& cuts);
  void AddFile(const WrittenFile& file);

 private:
  void ReadLine(const std::string& text, Index number);
  void Append(const nlohmann::ordered_json& line);

  std::filesystem::path file_;
  std::vector<StudyRun> runs_;
  std::vector<CutScores> cuts_;
  std::vector<WrittenFile> files_;
  std::vector<Index> run_lines_, capture_lines_, file_lines_;
  Index cuts_line_ = 0;
  std::map<std::string, std::map<double, double>> tried_, norms_;
  std::map<uint64_t, std::map<Index, double>> captures_;
};

}  // namespace ampgrad::train
