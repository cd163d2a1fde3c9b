#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "models/language_model.h"
#include "models/sampling.h"

namespace ampgrad::models {

struct GenerateOptions {
  Index max_tokens = 200;
  SamplingOptions sampling;
  uint64_t seed = 0;
  std::vector<int> end_tokens;  // stops before any of them
  Index vocabulary = 0;         // only ids below this are chosen, such as those that have a token; 0: all
  std::vector<int> never;       // nor are these
};

/// The token that follows `unread` and the tokens in the cache, to which `unread` is added. `draw` counts the draws of
/// a seed: each token needs one of its own. Throws as LanguageModel::NextLogits and SampleToken do.
int NextToken(LanguageModel& model, const std::vector<int>& unread, nn::KvCache& cache, const GenerateOptions& options,
              uint64_t draw);

/// Continues `prompt` (at least one id) token by token and returns the added ids; `emit` receives each id as it comes.
/// Each token is read once: its keys and values are cached. Of a prompt longer than the context, the model sees only
/// the last ids. Whenever the context is full, the cache is emptied and the last half of the context is read again.
/// Throws std::invalid_argument for an empty prompt, and as NextToken does.
std::vector<int> Generate(LanguageModel& model, const std::vector<int>& prompt, const GenerateOptions& options,
                          const std::function<void(int)>& emit = nullptr);

}  // namespace ampgrad::models
