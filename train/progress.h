#pragma once

#include <cstdio>
#include <fstream>
#include <string>

#include "train/trainer.h"

namespace ampgrad::train {

/// A step within its run.
struct StepReport {
  StepResult result;
  Index steps;               // of the run
  double seconds;            // since training began
  double tokens_per_second;  // over the run so far
};

/// Shows a run as it goes: on a terminal, a bar with loss, tokens/s and time left; elsewhere, a plain line every ten
/// seconds and one at the end.
class Progress {
 public:
  /// `out`: usually stderr, so that results on stdout stay clean.
  Progress(std::string label, std::FILE* out);
  void Show(const StepReport& report);

 private:
  std::string label_;
  std::FILE* out_;
  bool terminal_;
  double last_shown_ = 0;  // seconds since training began
};

/// One JSON object per line for every step: {"run", "step", "loss", "lr", "grad_norm", "tokens_per_second"}. Without a
/// file name it writes nothing.
class RunLog {
 public:
  /// Throws std::runtime_error when the file cannot be created or already exists.
  explicit RunLog(const std::string& file);
  void Add(const std::string& run, const StepReport& report);

 private:
  std::string file_;
  std::ofstream out_;
};

}  // namespace ampgrad::train
