#pragma once

#include <map>
#include <set>
#include <string>

#include "nn/modules.h"

namespace ampgrad::ct {

/// The weights of a model before a method changes any, so that an adapter can say later what it was trained on.
/// Matrices are shared with the model, in their mapped files.
class BaseWeights {
 public:
  explicit BaseWeights(const nn::Parts& parts);

  /// A hash over names, shapes, stored types and bytes of the matrices and vectors with these names.
  std::string HashOf(const std::set<std::string>& names) const;

 private:
  std::map<std::string, StoredTensor> weights_;
};

}  // namespace ampgrad::ct
