#pragma once

#include <string>

#include "ct/spectra/model_spectra.h"
#include "train/spectra/k_laws.h"

namespace ampgrad::train {

/// The figures as tables of at most 100 columns. A star marks what survives the correction for all tests at once.
std::string FormatSpectra(const ct::ModelSpectra& spectra, const KScaling& scaling);

}  // namespace ampgrad::train
