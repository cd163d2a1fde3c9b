#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <string>

#include "tensor/kernels/simd/fma_peak.h"
#include "tensor/tensor.h"
#include "tensor/thread_pool.h"

/// What the machine can do at the moment, measured in the process that is compared with it. Clocks drift and cores are
/// shared, so the figures of a data sheet say little.
namespace ampgrad::bench {

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of the fastest call of `work`, of those that fit into 20 ms, at least three.
template <class Work>
double FastestSeconds(const Work& work) {
  const double stop = Now() + 0.02;
  double fastest = 1e9;
  for (int calls = 0; calls < 3 || Now() < stop; ++calls) {
    const double begin = Now();
    work();
    fastest = std::min(fastest, Now() - begin);
  }
  return fastest;
}

/// The rate of multiply-adds in registers on all threads of the pool, in GFLOP/s. There are more tasks than threads, so
/// that one delayed thread does not delay the others.
inline double FmaPeak() {
  constexpr Index kRounds = 50000;
  const Index tasks = 8 * NumThreads();
  const double flops = static_cast<double>(tasks * kRounds) * kernels::RunMultiplyAdds(1);
  return 1e-9 * flops /
         FastestSeconds([tasks] { ParallelFor(tasks, [](Index) { kernels::RunMultiplyAdds(kRounds); }); });
}

/// The rate of a copy that reads and writes `bytes` bytes altogether, on all threads of the pool, in GB/s. A kernel
/// moves the same number of bytes, so both use the same cache.
inline double CopyBandwidth(double bytes) {
  const Index size = std::max<Index>(1, static_cast<Index>(bytes / 2 / sizeof(Real)));
  const Tensor from({size});
  Tensor to({size});
  Real* out = to.data();
  const double seconds = FastestSeconds([&] {
    ParallelChunks(size, 16384, [&](Index begin, Index end) {
      std::memcpy(out + begin, from.data() + begin, static_cast<size_t>(end - begin) * sizeof(Real));
    });
  });
  return 2e-9 * static_cast<double>(size) * sizeof(Real) / seconds;
}

/// The largest resident memory of this process so far, in MiB; 0 where the system does not report it.
inline double PeakMemoryMib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace ampgrad::bench
