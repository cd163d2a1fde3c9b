#include "train/spectra/labels.h"

#include <cmath>

namespace ampgrad::train {

const char* CrystalLabel(double amplitude_pr) {
  if (amplitude_pr < std::sqrt(1 * 2.9)) return kCrystalLabels[0];
  return amplitude_pr < std::sqrt(2.9 * 6) ? kCrystalLabels[1] : kCrystalLabels[2];
}

std::map<std::string, std::map<std::string, int>> CountLabels(const ct::ModelSpectra& spectra) {
  std::map<std::string, std::map<std::string, int>> counts;
  if (!spectra.by_k.contains(8)) return counts;
  for (const ct::MatrixSpectra& matrix : spectra.matrices) {
    ++counts[matrix.type][CrystalLabel(matrix.by_k.at(8).amplitude_pr.value)];
  }
  return counts;
}

}  // namespace ampgrad::train
