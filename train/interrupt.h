#pragma once

#include <stdexcept>

namespace ampgrad::train {

/// The user has told the run to stop.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// While one exists, a signal that would end the process is only noted: a step ends first, and a save is completed. The
/// library installs no handlers. A program that wants this has handlers that call `NoteSignal`.
class DeferSignals {
 public:
  DeferSignals();
  ~DeferSignals();
  DeferSignals(const DeferSignals&) = delete;
  DeferSignals& operator=(const DeferSignals&) = delete;
};

/// For a signal handler. Notes the signal and returns true if the program goes on: signals are deferred, and this is
/// the first, or follows the first at once, since whoever ends a program may well signal both it and its group.
bool NoteSignal(int signal);

/// The number of the signal that was noted, or 0.
int NotedSignal();

/// Forgets a signal that was noted, if it is this one, and returns whether it was. The program goes on.
bool TakeSignal(int signal);

/// Throws Interrupted if a signal was noted. Runs call it after each step.
void StopIfSignalled();

}  // namespace ampgrad::train
