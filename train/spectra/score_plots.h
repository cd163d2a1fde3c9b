#pragma once

#include <string>

#include "ct/spectra/model_spectra.h"
#include "train/spectra/k_laws.h"

/// The pictures of the scores, as those of spectra_plots.h.
namespace ampgrad::train {

/// PR of λ₁…λ_K, and the matrices' amplitude PR, over K on log axes, beside the fitted power and √K.
std::string AmplitudePlot(const ct::ModelSpectra& spectra, const KScaling& scaling);

/// How the scores of the largest K are spread, by kind of matrix, each beside a Gaussian: several figures and a
/// sentence.
std::string ScoreHistograms(const ct::ModelSpectra& spectra);

}  // namespace ampgrad::train
