#include <cstdio>

#include "tensor/kernels/simd/simd_target.h"
#include "train/commands/build_info.h"
#include "train/commands/commands.h"

namespace ampgrad::train {
namespace {

int Run(const Options&) {
  std::string available;
  for (const std::string& target : SimdTargets()) available += (available.empty() ? "" : ", ") + target;
  std::printf("ampgrad %s\ncommit  %s\nbuild   %s, %s, Real = %s\nSIMD    %s, of %s\n", kVersion, kCommit, kBuildType,
              kCompiler, sizeof(Real) == 4 ? "float" : "double", SimdTarget().c_str(), available.c_str());
  return 0;
}

}  // namespace

Command VersionCommand() {
  return {"version", "Show the version, the commit, how the program was built, and the instruction set.", {}, Run};
}

}  // namespace ampgrad::train
