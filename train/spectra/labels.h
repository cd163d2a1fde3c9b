#pragma once

#include <map>
#include <string>

#include "ct/spectra/model_spectra.h"

namespace ampgrad::train {

/// The label that the 10.2M paper gives a matrix by its amplitude PR at K = 8: about 1 "crystallizable", about 2.9
/// "compressible", about 6 "irreducible". The paper has no borders; here they are the geometric means of its three
/// values, 1.70 and 4.17.
const char* CrystalLabel(double amplitude_pr);

/// The labels, from the lowest amplitude PR on.
inline constexpr const char* kCrystalLabels[] = {"crystallizable", "compressible", "irreducible"};
/// How many matrices of each type bear each label; empty when K = 8 was not measured.
std::map<std::string, std::map<std::string, int>> CountLabels(const ct::ModelSpectra& spectra);

/// The rule, in one sentence.
inline constexpr char kLabelRule[] =
    "Labels by amplitude PR at K = 8, with borders at the geometric means of the paper's 1, 2.9 and 6: crystallizable "
    "below 1.70, compressible below 4.17, else irreducible.";

}  // namespace ampgrad::train
