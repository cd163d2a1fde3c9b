#pragma once

#include <string>
#include <vector>

#include "ct/spectra/model_spectra.h"
#include "train/spectra/k_laws.h"

/// The pictures of all rows, each a <figure> with its legend and a sentence that says what it shows and what chance
/// would show.
namespace ampgrad::train {

/// λ of all rows and of one drawn stack over their index, and Marchenko–Pastur's edge.
std::string EigenvaluePlot(const ct::ModelSpectra& spectra);
/// R² over K, beside K/d and the drawn stack's, with what was measured and the papers' laws.
std::string R2Plot(const ct::ModelSpectra& spectra, const KScaling& scaling);
/// PR of the layers, beside that of rows without structure; empty without layers.
std::string DepthPlot(const ct::ModelSpectra& spectra);

/// A picture with what stands above and below it. `heading` and `legend` are HTML; the sentence is not.
std::string Picture(const std::string& heading, const std::string& legend, const std::string& picture,
                    const std::string& sentence);

/// 1…count, but no more than a few hundred: the gaps grow as the logarithm does, or are even.
enum class Gaps { kEven, kLog };
std::vector<Index> Thinned(Index count, Gaps gaps);

}  // namespace ampgrad::train
