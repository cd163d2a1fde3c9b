#pragma once

#include <string>

namespace ampgrad::nn {

/// How the gradient reaches what a form trains. Both ways give the same numbers to rounding.
enum class Chain {
  kExplicit,  // the whole W is computed, and the gradients come from dW: every step can be inspected
  kFactored,  // dW is never formed, and where a form allows it neither is W
};

const char* ToString(Chain chain);
/// "explicit" or "factored"; throws std::invalid_argument for another word.
Chain ParseChain(const std::string& word);

}  // namespace ampgrad::nn
