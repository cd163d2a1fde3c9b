#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
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

/// Shows that work without steps goes on, once it has taken a second: on a terminal, the seconds as they pass;
/// elsewhere a line, and one more every ten seconds.
class Phase {
 public:
  explicit Phase(std::string what, std::FILE* out = stderr);
  ~Phase();
  /// Says what the work has come to.
  void Now(std::string what);
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

 private:
  static void* Run(void* phase);
  void ShowSeconds();

  std::string what_;
  std::FILE* out_;
  bool terminal_;
  bool done_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  pthread_t clock_;
  bool ticking_ = false;
};

/// What `work` returns, shown as a Phase.
template <class Work>
auto During(const std::string& what, Work work) {
  const Phase phase(what);
  return work();
}

/// One JSON object per line for every step: {"run", "step", "loss", "lr", "grad_norm", "tokens_per_second"}. Without a
/// file name it writes nothing. The file is made with its first line, so a run that is refused leaves none; when a run
/// is interrupted, it is removed.
class RunLog {
 public:
  /// Throws std::runtime_error when the file already exists.
  explicit RunLog(const std::string& file);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  /// Throws std::runtime_error when the file cannot be created or written.
  void Add(const std::string& run, const StepReport& report);

 private:
  void Create();

  std::string file_;
  std::ofstream out_;
};

}  // namespace ampgrad::train
