#pragma once

#include <string>

#include "ct/spectra/model_spectra.h"
#include "train/spectra/k_laws.h"

/// The figures as tables that can be sorted. A star marks what survives Holm's correction.
namespace ampgrad::train {

std::string WholeTable(const ct::ModelSpectra& spectra);
std::string KTable(const ct::ModelSpectra& spectra);
/// Empty when no embedding was given.
std::string AlignmentTable(const ct::ModelSpectra& spectra);
std::string LayerTable(const ct::ModelSpectra& spectra);
std::string DepthTable(const ct::ModelSpectra& spectra);
std::string MatrixTable(const ct::ModelSpectra& spectra, Index k);
/// How many matrices of each kind bear each label; empty when K = 8 was not measured.
std::string LabelTable(const ct::ModelSpectra& spectra);
std::string LawTable(const KScaling& scaling);
std::string NeedTable(const KScaling& scaling);

}  // namespace ampgrad::train
