#pragma once

#include <cstdint>
#include <vector>

#include "ct/spectra/score_sums.h"

/// What chance gives for the figures of one matrix's scores, as draws with a seed.
namespace ampgrad::ct {

/// Draws of the figures that correlation between the columns makes.
struct ScoreNull {
  std::vector<double> amplitude_pr, pc1, max_corr;  // [draws]
  bool permuted;                                    // else the correlations were drawn
};

/// Permutes each of the leading `k` columns of S [n, K] on its own, `draws` times, which keeps every column as it is
/// and takes away what ties it to others. Where S is so large that this would take long, the correlations themselves
/// are drawn as N(0, 1/(n − 1)), their limit under permutation.
ScoreNull DrawScoreNull(const Columns& scores, const ScoreSums& sums, Index k, int draws, uint64_t seed,
                        uint64_t stream);

/// Draws of the excess kurtosis of Gaussian columns with the means and deviations of the leading `k` columns: a
/// permutation would keep it. Where they are long, the power sums are drawn from their normal limit.
std::vector<double> DrawKurtosisNull(const ScoreSums& sums, Index k, int draws, uint64_t seed, uint64_t stream);

}  // namespace ampgrad::ct
