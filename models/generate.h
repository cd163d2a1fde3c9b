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
  Index vocabulary = 0;         // only ids below this are chosen, such as those that the tokenizer knows; 0: all
};

/// Continues `prompt` (at least one id) token by token and returns what was added; `emit` receives each as it comes.
/// Each token is read once: its keys and values are kept. The model sees at most its context: of a longer prompt the
/// last ids, and whenever the context is full it is begun again with its last half, which is read anew.
std::vector<int> Generate(LanguageModel& model, const std::vector<int>& prompt, const GenerateOptions& options,
                          const std::function<void(int)>& emit = nullptr);

}  // namespace ampgrad::models
