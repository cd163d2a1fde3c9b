#include "train/commands/options/common_options.h"

#include <algorithm>
#include <string>

#include "tensor/io/note.h"
#include "tensor/kernels/simd/simd_target.h"
#include "tensor/thread_pool.h"

namespace ampgrad::train {

std::vector<OptionSpec> CommonOptionSpecs() {
  return {{"threads", "N", "0", "threads to use; 0 means all cores, shared by the ranks of mpirun"},
          {"simd", "NAME", "", "instruction set: amx, avx512, avx2, neon or scalar; default: the best of this CPU"},
          {"help", nullptr, "", "show this help"}};
}

void UseCommonOptions(const Options& options, const Ranks& ranks) {
  const auto wanted = static_cast<int>(options.Integer("threads", 0, 1024));
  SetNumThreads(wanted);
  if (wanted == 0 && ranks.here() > 1) SetNumThreads(std::max(1, NumThreads() / ranks.here()));
  if (const int threads = NumThreads(); threads < wanted) {
    io::Note("the system does not allow " + std::to_string(wanted) + " threads; using " + std::to_string(threads));
  }
  if (options.Has("simd")) UseSimdTarget(options.Choice("simd", SimdTargets()));
}

}  // namespace ampgrad::train
