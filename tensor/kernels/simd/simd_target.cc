#include "tensor/kernels/simd/simd_target.h"

#include <cctype>
#include <cstdint>
#include <stdexcept>

#include "hwy/highway.h"
#include "tensor/kernels/simd/tiles.h"

namespace ampgrad {
namespace {

std::string& Chosen() {
  static std::string name;
  return name;
}

// The tile unit is not a Highway target: it is used in addition to the best of them.
constexpr char kTiles[] = "amx";

std::string NameOf(int64_t target) {
  if (target == HWY_AVX3) return "avx512";
  if (target == HWY_EMU128 || target == HWY_SCALAR) return "scalar";
  std::string name = hwy::TargetName(target);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

void Allow(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::vector<std::string> SimdTargets() {
  const std::string chosen = Chosen();
  Allow(0);
  std::vector<std::string> names;
  if (kernels::HaveTiles()) names.push_back(kTiles);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) names.push_back(NameOf(target));
  UseSimdTarget(chosen);
  return names;
}

std::string SimdTarget() { return Chosen().empty() ? SimdTargets().front() : Chosen(); }

void UseSimdTarget(const std::string& name) {
  Allow(0);
  const bool tiles = name == kTiles && kernels::HaveTiles();
  if (!name.empty() && !tiles) {
    int64_t wanted = 0;
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      if (name == NameOf(target)) wanted = target;
    }
    if (wanted == 0) throw std::invalid_argument("[simd] this CPU or this build has no instruction set '" + name + "'");
    Allow(wanted);
  }
  kernels::AllowTiles(name.empty() || tiles);
  Chosen() = name;
}

}  // namespace ampgrad
