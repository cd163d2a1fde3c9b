#pragma once

#include <string>
#include <vector>

#include "ct/spectra/model_spectra.h"
#include "train/spectra/k_laws.h"

namespace ampgrad::train {

/// The figures as one HTML page that needs nothing else: pictures, each with a sentence that says what it shows and
/// what chance would show, and tables. `command` makes the page again; `more_sections` is HTML and comes last.
std::string SpectraPage(const ct::ModelSpectra& spectra, const KScaling& scaling, const std::string& title,
                        const std::string& command, const std::vector<std::string>& more_sections = {});

}  // namespace ampgrad::train
