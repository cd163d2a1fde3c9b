#include "train/spectra/labels.h"

#include <cmath>

namespace ampgrad::train {

const char* CrystalLabel(double amplitude_pr) {
  if (amplitude_pr < std::sqrt(1 * 2.9)) return "crystallizable";
  return amplitude_pr < std::sqrt(2.9 * 6) ? "compressible" : "irreducible";
}

}  // namespace ampgrad::train
