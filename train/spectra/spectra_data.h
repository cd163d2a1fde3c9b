#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ct/spectra/model_spectra.h"
#include "train/spectra/k_laws.h"

/// The figures as data.
namespace ampgrad::train {

/// Everything, by the names of analysis.json where it has them. A figure is an object of value, null, level, p and
/// marked; what is not there is null.
nlohmann::ordered_json SpectraJson(const ct::ModelSpectra& spectra, const KScaling& scaling);

/// A line for each figure: scope, name, layer, K, figure, value, null, level, p, marked.
std::string SpectraCsv(const ct::ModelSpectra& spectra);

}  // namespace ampgrad::train
