#pragma once

#include <string>

namespace ampgrad::train {

/// A small process that outlives this one by a moment, to say that it has died: what is killed can say nothing, and
/// what started the ranks then kills the others, too. One such process watches all ranks of a job on a machine, so it
/// knows which of them died first, and only one says why all end.
class Watcher {
 public:
  /// Forks: before the program has threads.
  Watcher();
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Makes this process's watcher that of all ranks of the job on this machine. `job` is the same for all ranks, and
  /// for those of no other job. One rank of a machine does so, before any of them follows.
  void Open(const std::string& job);
  /// Tells the watcher of the job who dies if this process does.
  void Follow(const std::string& job, int rank);
  /// Asks whether this process is the first of its job that has something to say. If so, no other will be.
  bool MaySpeak();
  /// The process will end, and nobody need say so. May be called in a signal handler.
  void ExpectEnd();

 private:
  int socket_ = -1;
};

}  // namespace ampgrad::train
