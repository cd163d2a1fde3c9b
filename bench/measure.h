#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "tensor/allocator.h"
#include "tensor/kernels/simd/simd_target.h"

/// How benchmarks are checked, timed and reported.
namespace ampgrad::bench {

/// The work of a call, independent of its implementation: floating-point operations, and bytes that must be read or
/// written at least once. Zero means not stated.
struct Cost {
  double flops = 0, bytes = 0;
};

/// Bytes of `count` numbers.
inline double Bytes(Index count) { return static_cast<double>(count) * sizeof(Real); }

/// Whether every number x is near its twin t: |x − t| <= share·(|t| + r). r is the root mean square of the twins;
/// smaller numbers may be sums that cancelled. False for a NaN.
inline bool Matches(const Tensor& got, const std::vector<double>& twin, double share = 2e-6) {
  if (static_cast<size_t>(got.size()) != twin.size()) return false;
  double squares = 0;
  for (const double t : twin) squares += t * t;
  const double r = std::sqrt(squares / static_cast<double>(twin.size()));
  for (Index i = 0; i < got.size(); ++i) {
    if (!(std::abs(got[i] - twin[i]) <= share * (std::abs(twin[i]) + r))) return false;
  }
  return true;
}

/// Median seconds of a call of `work`; the median, because other users of the machine spoil single calls.
template <class Work>
double MedianSeconds(benchmark::State& state, const Work& work) {
  std::vector<double> seconds;
  for (auto _ : state) {
    const double begin = Now();
    work();
    seconds.push_back(Now() - begin);
  }
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  return seconds[seconds.size() / 2];
}

/// Times `work` and reports rates from the median call, next to what the machine could do just before and after.
/// Returns the median seconds.
template <class Work>
double Measure(benchmark::State& state, const Cost& cost, const Work& work) {
  const auto peak = [&] { return cost.flops > 0 ? FmaPeak() : 0; };
  const auto bandwidth = [&] { return cost.bytes > 0 ? CopyBandwidth(cost.bytes) : 0; };
  const double peak_before = peak(), bandwidth_before = bandwidth();
  const double seconds = MedianSeconds(state, work);
  if (cost.flops > 0) {
    const double rate = 1e-9 * cost.flops / seconds;
    state.counters["GFLOP/s"] = rate;
    state.counters["%peak"] = 100 * rate / std::max(peak_before, peak());
  }
  if (cost.bytes > 0) {
    const double rate = 1e-9 * cost.bytes / seconds;
    state.counters["GB/s"] = rate;
    state.counters["%copy"] = 100 * rate / std::max(bandwidth_before, bandwidth());
  }
  return seconds;
}

/// A kernel on its data: what it costs, how to run it, and whether its outputs after one run match its twin.
struct Case {
  Cost cost;
  std::function<void()> run;
  std::function<bool()> matches;
};

/// Checks and times a case on state.range(0) threads.
inline void RunCase(benchmark::State& state, const std::function<Case()>& make) {
  SetNumThreads(static_cast<int>(state.range(0)));
  const Case kernel = make();
  kernel.run();
  if (!kernel.matches()) return state.SkipWithError("the result does not match that of the naive twin");
  Measure(state, kernel.cost, kernel.run);
}

inline void RegisterCase(const std::string& name, const std::function<Case()>& make) {
  benchmark::RegisterBenchmark(name.c_str(), RunCase, make)
      ->ArgName("threads")
      ->Arg(1)
      ->Arg(2)
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

/// The main function of a benchmark program, after it has registered its benchmarks. Beside Google Benchmark's options
/// it takes --simd=NAME, an instruction set (UseSimdTarget), as its last word.
inline int RunBenchmarks(int argc, char** argv) {
  KeepFreedMemory();
  const std::string simd = "--simd=";
  if (argc > 1 && std::string(argv[argc - 1]).starts_with(simd)) UseSimdTarget(argv[--argc] + simd.size());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("simd_target", SimdTarget());
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}

}  // namespace ampgrad::bench
