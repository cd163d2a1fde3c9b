#include "train/interrupt.h"

#include <time.h>

#include <atomic>
#include <cstdint>

namespace ampgrad::train {
namespace {

std::atomic<int> deferrals{0}, noted{0};
std::atomic<int64_t> noted_at{0};  // milliseconds
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
  if (deferrals == 0) return false;
  int none = 0;
  if (noted.compare_exchange_strong(none, signal)) {
    noted_at = Milliseconds();
    return true;
  }
  return Milliseconds() - noted_at < 500;
}

int NotedSignal() { return noted; }

void StopIfSignalled() {
  if (noted != 0) throw Interrupted("interrupted; nothing was saved");
}

}  // namespace ampgrad::train
