#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "train/trainer.h"

namespace ampgrad::train {

/// Seconds of the wall clock from `begin` to now.
double SecondsSince(std::chrono::steady_clock::time_point begin);

/// A step within its run.
struct StepReport {
  StepResult result;
  Index steps;                                           // of the run
  Index here;                                            // of them, taken by this process so far
  double seconds;                                        // since this process began to train
  double tokens_per_second;                              // in the steps taken here, without what is done between them
  std::optional<double> validation_loss, held_out_loss;  // after the step, where one was taken
};

/// A line for every step: a JSON object {"run", "step", "loss", "lr", "grad_norm", "validation_loss", "held_out_loss",
/// "tokens_per_second"}, in which a loss that was not taken is missing; or, in a file whose name ends in .csv, the same
/// fields as columns, "step" first. Without a file name it writes nothing. The file is made with its first line, so a
/// run that is refused leaves none; when a run is interrupted before `Sync`, it is removed.
class RunLog {
 public:
  /// Throws std::runtime_error when the file already exists, unless it is to go on: then GoOnFrom comes next.
  explicit RunLog(const std::string& file, bool goes_on = false);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  /// Throws std::runtime_error when the file cannot be created or written.
  void Add(const std::string& run, const StepReport& report);
  /// Brings the lines to disk and returns their length in bytes. Throws std::runtime_error.
  Index Sync();
  /// Goes on after the first `bytes` bytes of the file; what follows them is lost, since those steps are taken again.
  /// Throws std::runtime_error when the file is shorter.
  void GoOnFrom(Index bytes);

 private:
  void Open(int flags);
  void Write(const std::string& text);

  std::string file_;
  bool csv_;
  bool kept_ = false;  // whether a state on disk counts on the file
  int fd_ = -1;
  Index bytes_ = 0;
};

}  // namespace ampgrad::train
