#pragma once

#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>

#include "train/run_log.h"

namespace ampgrad::train {

/// Shows a run as it goes: on a terminal, one line that lives: a bar, the losses, rate, tokens/s, memory and time left;
/// elsewhere, the same as a plain line every ten seconds, at each evaluation, and at the end.
class Progress {
 public:
  /// `out`: usually stderr, so that results on stdout stay clean.
  Progress(std::string label, std::FILE* out);
  /// `last`: the run ends with this step.
  void Show(const StepReport& report, bool last);
  /// A line of its own.
  void Say(const std::string& line);

 private:
  std::string label_;
  std::FILE* out_;
  bool terminal_;
  double last_shown_ = 0;   // seconds since training began
  std::string evaluation_;  // the last one, as it is shown
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

}  // namespace ampgrad::train
