#include "train/interrupt.h"

#include <time.h>

#include <atomic>
#include <cstdint>

namespace ampgrad::train {
namespace {

std::atomic<int> deferrals{0}, noted{0};
std::atomic<int64_t> noted_at{-1000};  // milliseconds
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<int64_t>::is_always_lock_free,
              "a signal handler must take no lock");

int64_t Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000} + now.tv_nsec / 1'000'000;
}

}  // namespace

DeferSignals::DeferSignals() { ++deferrals; }

DeferSignals::~DeferSignals() { --deferrals; }

bool NoteSignal(int signal) {
  if (Milliseconds() - noted_at < 500) return true;
  int none = 0;
  if (deferrals == 0 || !noted.compare_exchange_strong(none, signal)) return false;
  noted_at = Milliseconds();
  return true;
}

int NotedSignal() { return noted; }

bool TakeSignal(int signal) { return noted.compare_exchange_strong(signal, 0); }

void StopIfSignalled() {
  if (noted != 0) throw Interrupted("interrupted; nothing was saved");
}

}  // namespace ampgrad::train
