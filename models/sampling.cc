#include "models/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace ampgrad::models {
namespace {

// The id of the largest logit.
int Likeliest(const Real* logits, Index vocab) {
  int best = 0;
  for (Index v = 0; v < vocab; ++v) {
    if (!(logits[v] < std::numeric_limits<Real>::infinity())) {
      throw std::runtime_error("[sample] expected logits below infinity, found " + std::to_string(logits[v]) +
                               " for token " + std::to_string(v));
    }
    if (logits[v] > logits[best]) best = static_cast<int>(v);
  }
  if (std::isinf(logits[best])) throw std::runtime_error("[sample] expected a logit above -infinity, found none");
  return best;
}

}  // namespace

int SampleToken(const Real* logits, Index vocab, const SamplingOptions& options, double uniform) {
  const int likeliest = Likeliest(logits, vocab);
  if (options.temperature <= 0) return likeliest;

  // The candidates, the likeliest first where top-k or top-p needs that.
  std::vector<int> ids(vocab);
  std::iota(ids.begin(), ids.end(), 0);
  if (options.top_k > 0 && options.top_k < vocab) ids.resize(options.top_k);
  if (static_cast<Index>(ids.size()) < vocab || options.top_p < 1) {
    std::vector<int> all(vocab);
    std::iota(all.begin(), all.end(), 0);
    std::partial_sort_copy(all.begin(), all.end(), ids.begin(), ids.end(), [logits](int a, int b) {
      return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
    });
  }

  const double max = logits[likeliest];
  std::vector<double> cumulative;
  double sum = 0;
  for (const int id : ids) cumulative.push_back(sum += std::exp((logits[id] - max) / options.temperature));
  if (options.top_p < 1) {
    const auto reached = std::lower_bound(cumulative.begin(), cumulative.end(), options.top_p * sum);
    cumulative.resize(reached - cumulative.begin() + 1);
  }
  // The draw inverts the cumulative distribution of the candidates.
  const auto drawn = std::upper_bound(cumulative.begin(), cumulative.end(), uniform * cumulative.back());
  return ids[std::min<size_t>(drawn - cumulative.begin(), cumulative.size() - 1)];
}

}  // namespace ampgrad::models
