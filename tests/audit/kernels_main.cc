// The float half of the audit: the program of the double half runs it and reads its lines, "target<TAB>kernel<TAB>share".
#include <cstdio>
#include <cstdlib>

#include "tests/audit/kernel_audit.h"

int main(int argc, char** argv) {
  const uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  for (const ampgrad::audit::KernelFinding& f : ampgrad::audit::AuditKernels(seed)) {
    std::printf("%s\t%s\t%.17g\n", f.target.c_str(), f.kernel.c_str(), f.share);
  }
}
