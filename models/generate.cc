#include "models/generate.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "tensor/random.h"

namespace ampgrad::models {
namespace {

// A draw from softmax(logits / temperature) [V] by inverting its cumulative distribution at `uniform` in [0, 1).
int Draw(const Real* logits, Index vocab, double temperature, double uniform) {
  const double max = *std::max_element(logits, logits + vocab);
  std::vector<double> cumulative(vocab);
  double sum = 0;
  for (Index v = 0; v < vocab; ++v) cumulative[v] = sum += std::exp((logits[v] - max) / temperature);
  const auto it = std::upper_bound(cumulative.begin(), cumulative.end(), uniform * sum);
  return static_cast<int>(std::min<Index>(it - cumulative.begin(), vocab - 1));
}

}  // namespace

std::vector<int> Generate(LanguageModel& model, std::vector<int> ids, const GenerateOptions& options,
                          const std::function<void(int)>& emit) {
  if (ids.empty()) throw std::invalid_argument("[generate] expected a prompt of at least one token");
  const Random random(options.seed, 0);
  std::vector<int> added;
  while (static_cast<Index>(added.size()) < options.max_tokens) {
    const size_t seen = std::min(ids.size(), static_cast<size_t>(model.context()));
    const std::vector<int> window(ids.end() - static_cast<std::ptrdiff_t>(seen), ids.end());
    Tape tape(Tape::Mode::kInference);
    const Tensor logits = model.Logits(tape, window, static_cast<Index>(seen)).value;  // [T, V]
    const Real* last = logits.row(logits.rows() - 1);
    const Index choices = options.vocabulary ? std::min(options.vocabulary, logits.cols()) : logits.cols();
    const int next = options.temperature > 0 ? Draw(last, choices, options.temperature, random.Uniform(added.size()))
                                             : static_cast<int>(std::max_element(last, last + choices) - last);
    if (next == options.end_token) break;
    ids.push_back(next);
    added.push_back(next);
    if (emit) emit(next);
  }
  return added;
}

}  // namespace ampgrad::models
