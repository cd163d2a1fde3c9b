#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"

namespace ampgrad::train {

/// Which part of a model is trained.
struct Scope {
  bool all_layers = true;
  Index first = 0, last = 0;  // blocks first..last, both included, unless all_layers
  bool head = false;          // also the matrix that makes the logits
};

/// Reads "all", "last:2", "0-3" or "5" for a model of `layers` blocks. Throws std::runtime_error for a block that the
/// model does not have, and std::invalid_argument for other words.
Scope ParseLayers(const std::string& word, Index layers);

/// The matrices of the blocks in scope, in the order of the model.
std::vector<nn::Matrix*> MatricesInScope(models::LanguageModel& model, const Scope& scope);

}  // namespace ampgrad::train
