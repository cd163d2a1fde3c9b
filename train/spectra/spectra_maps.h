#pragma once

#include <string>

#include "ct/spectra/model_spectra.h"

namespace ampgrad::train {

/// For each figure a table of kinds of matrix by layers, shaded by value, with a star where it survives Holm's
/// correction, the numbers in tooltips, and a sentence below. A choice of the figure stands above; without a script
/// all are shown.
std::string HeatMaps(const ct::ModelSpectra& spectra);

}  // namespace ampgrad::train
