#include "tensor/kernels/simd/tiles.h"

#if AMPGRAD_TILES
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace ampgrad::kernels {
namespace {

bool allowed = true;

bool AskForTiles() {
#if AMPGRAD_TILES
  constexpr unsigned kBf16AndTiles = (1u << 22) | (1u << 24);  // CPUID leaf 7, EDX
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  // Packing the tiles needs AVX-512, which a virtual machine may hide.
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) return false;
  if (!__builtin_cpu_supports("avx512vl")) return false;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (edx & kBf16AndTiles) != kBf16AndTiles) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool HaveTiles() {
  static const bool have = AskForTiles();
  return have;
}

bool TilesAllowed() { return HaveTiles() && allowed; }

void AllowTiles(bool allow) { allowed = allow; }

}  // namespace ampgrad::kernels
