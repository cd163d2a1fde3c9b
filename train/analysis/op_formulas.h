#pragma once

#include <string>

namespace ampgrad::train {

/// What an op computes, and what its backward adds, as the comment block above the op has it.
struct OpFormula {
  const char* forward;   // "W = S·B + C"
  const char* backward;  // "dS += dW·Bᵀ"
};

/// The formula of the op that records itself under that name. Throws std::invalid_argument for another name.
const OpFormula& FormulaOf(const std::string& op);

}  // namespace ampgrad::train
