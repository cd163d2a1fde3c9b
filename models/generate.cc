#include "models/generate.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "tensor/random.h"

namespace ampgrad::models {
namespace {

// The last `count` of `ids`, or all.
std::vector<int> Last(const std::vector<int>& ids, Index count) {
  return {ids.end() - std::min(count, static_cast<Index>(ids.size())), ids.end()};
}

}  // namespace

int NextToken(LanguageModel& model, const std::vector<int>& unread, nn::KvCache& cache, const GenerateOptions& options,
              uint64_t draw) {
  Tensor logits = model.NextLogits(unread, cache);
  const Index choices = options.vocabulary ? std::min(options.vocabulary, logits.cols()) : logits.cols();
  for (const int id : options.never) {
    if (id < choices) logits[id] = -std::numeric_limits<Real>::infinity();
  }
  return SampleToken(logits.data(), choices, options.sampling, Random(options.seed, 0).Uniform(draw));
}

std::vector<int> Generate(LanguageModel& model, const std::vector<int>& prompt, const GenerateOptions& options,
                          const std::function<void(int)>& emit) {
  if (prompt.empty()) throw std::invalid_argument("[generate] expected a prompt of at least one token");
  const Index prompt_length = static_cast<Index>(prompt.size());
  nn::KvCache cache = model.MakeCache(std::min(model.context(), prompt_length + options.max_tokens));
  std::vector<int> ids = prompt, unread = Last(prompt, model.context());
  for (Index added = 0; added < options.max_tokens; ++added) {
    const int next = NextToken(model, unread, cache, options, static_cast<uint64_t>(added));
    if (std::ranges::count(options.end_tokens, next) > 0) break;
    ids.push_back(next);
    if (emit) emit(next);
    unread = {next};
    if (cache.length == cache.positions()) {
      cache.length = 0;
      unread = Last(ids, std::max<Index>(1, model.context() / 2));
    }
  }
  return {ids.begin() + prompt_length, ids.end()};
}

}  // namespace ampgrad::models
