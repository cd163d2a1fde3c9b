#pragma once

#include <map>
#include <string>

#include "models/files/weight_files.h"
#include "nn/modules.h"

namespace ampgrad::models {

/// The tensors of the files by the names that the model gives them. In the files all names may carry the checkpoint's
/// prefix, or none does ("lm_head" never does). Buffers, which are no parameters, are left out.
class WeightNames {
 public:
  /// Throws std::runtime_error when some of the model's names carry the prefix and others do not.
  WeightNames(const WeightFiles& weights, const nn::Parts& parts, const std::string& prefix);

  bool Has(const std::string& name) const { return stored_name_.contains(name); }
  /// The name in the file of a tensor, which must have this shape; it counts as taken from then on. No number is read,
  /// so a file of another model fails at once. Throws std::runtime_error, also naming a tensor that may be meant.
  std::string Take(const std::string& name, const Shape& shape);
  /// Throws std::runtime_error naming a tensor that was not taken.
  void RefuseLeftovers() const;

 private:
  [[noreturn]] void FailMissing(const std::string& name) const;

  const WeightFiles& weights_;
  std::string prefix_;
  bool prefixed_ = false;                           // whether the file's names carry it
  std::map<std::string, std::string> stored_name_;  // by the model's own name
};

}  // namespace ampgrad::models
