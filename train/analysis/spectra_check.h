#pragma once

#include <filesystem>

#include "models/language_model.h"
#include "train/analysis/comparison.h"

namespace ampgrad::train {

/// Compares the spectral figures of the model with analysis.json in `directory`, if it is there: in float within 1e-6,
/// those of alignment within 1e-5, because they follow single eigenvectors, which turn where eigenvalues lie close; in
/// the double build within 1e-10 and 1e-9. Throws std::runtime_error when the file lacks a figure.
void CheckSpectra(const std::filesystem::path& directory, models::LanguageModel& model, Comparison& result);

}  // namespace ampgrad::train
