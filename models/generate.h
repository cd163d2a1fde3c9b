#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "models/language_model.h"

namespace ampgrad::models {

struct GenerateOptions {
  Index max_tokens = 200;
  double temperature = 0;  // 0: greedy, the likeliest token
  uint64_t seed = 0;
  int end_token = -1;    // stops before it; -1: never
  Index vocabulary = 0;  // only ids below this are chosen, such as those that the tokenizer knows; 0: all
};

/// Continues `prompt` (at least one id) token by token; `emit` receives each as it comes. The model sees at most its
/// context: the last ids. Returns the tokens that were added.
std::vector<int> Generate(LanguageModel& model, std::vector<int> prompt, const GenerateOptions& options,
                          const std::function<void(int)>& emit = nullptr);

}  // namespace ampgrad::models
