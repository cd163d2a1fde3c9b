#include "train/machine_memory.h"

#ifdef __linux__
#include <sys/resource.h>
#endif

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "tensor/allocator.h"

namespace ampgrad::train {
namespace {

constexpr Index kUnknown = std::numeric_limits<Index>::max();

// The number that a file begins with; kUnknown when there is none ("max").
Index NumberIn(const char* file) {
  Index value;
  return std::ifstream(file) >> value ? value : kUnknown;
}

// The number after `key` in a file of lines "key: number kB", in bytes.
Index BytesOf(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    Index kilobytes;
    if (word == key && in >> kilobytes) return 1024 * kilobytes;
  }
  return kUnknown;
}

Index Left(Index limit, Index used) {
  return limit == kUnknown || used == kUnknown ? kUnknown : std::max<Index>(0, limit - used);
}

}  // namespace

Index AvailableMemory() {
  Index available = BytesOf("/proc/meminfo", "MemAvailable:");
  // Control groups: version 2, then version 1.
  available =
      std::min(available, Left(NumberIn("/sys/fs/cgroup/memory.max"), NumberIn("/sys/fs/cgroup/memory.current")));
  available = std::min(available, Left(NumberIn("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
                                       NumberIn("/sys/fs/cgroup/memory/memory.usage_in_bytes")));
#ifdef __linux__
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    // What the allocator requests in advance counts as well.
    const Index used = BytesOf("/proc/self/status", "VmSize:");
    available = std::min(available, Left(static_cast<Index>(limit.rlim_cur) - kAllocatorGrowth, used));
  }
#endif
  return available;
}

}  // namespace ampgrad::train
