#pragma once

#include <string>
#include <vector>

namespace ampgrad::fuzz {

/// How a program ended that ran with limits.
struct LimitedRun {
  int code;        // its exit code; −1 when a signal ended it
  int signal;      // 0 when none did
  bool hung;       // it was killed, as its time was over
  double peak_mb;  // the most memory that it held at a time
  std::string out, err;
};

/// Runs `words` in `directory` without input, for at most `seconds` of wall time. Throws std::runtime_error when the
/// program cannot be run.
LimitedRun RunLimited(const std::vector<std::string>& words, const std::string& directory, int seconds);

}  // namespace ampgrad::fuzz
