#include "nn/forms/chain.h"

#include <stdexcept>

namespace ampgrad::nn {

const char* ToString(Chain chain) { return chain == Chain::kExplicit ? "explicit" : "factored"; }

Chain ParseChain(const std::string& word) {
  if (word == "explicit") return Chain::kExplicit;
  if (word == "factored") return Chain::kFactored;
  throw std::invalid_argument("[chain] expected explicit or factored, found '" + word + "'");
}

}  // namespace ampgrad::nn
