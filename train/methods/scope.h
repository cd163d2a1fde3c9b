#pragma once

#include <string>
#include <vector>

#include "models/language_model.h"

namespace ampgrad::train {

/// Which part of a model is trained.
struct Scope {
  bool all_layers = true;
  Index first = 0, last = 0;              // blocks first..last, both included, unless all_layers
  bool head = false;                      // also the matrix that makes the logits
  std::vector<std::string> targets = {};  // names or ends of names of the matrices that train; empty: all

  bool operator==(const Scope&) const = default;
};

/// Reads "all", "last:2", "0-3" or "5" for a model of `layers` blocks. Throws std::runtime_error for a block that the
/// model does not have, and std::invalid_argument for other words.
Scope ParseLayers(const std::string& word, Index layers);

/// Reads names of matrices of the blocks: each word is the end of a name without ".weight", such as
/// q_proj, attn.c_proj or a full name, or one of the short words q, k, v, o, gate, up and down. Throws
/// std::runtime_error for a word that no matrix of the blocks answers to.
std::vector<std::string> ParseTargets(const std::vector<std::string>& words, models::LanguageModel& model);

/// The matrices of the blocks in scope, in the order of the model.
std::vector<nn::Matrix*> MatricesInScope(models::LanguageModel& model, const Scope& scope);

}  // namespace ampgrad::train
