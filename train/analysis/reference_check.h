#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/io/safetensors_writer.h"

namespace ampgrad::train {

/// How far a group of numbers lies from the reference.
struct GroupResult {
  std::string group;  // "logits", "gradients", "score gradients, exact start", …
  std::string worst;  // the tensor with the largest error
  double error = 0;  // ‖ours − reference‖ / ‖reference‖ of that tensor (Frobenius); for the basis, of the subspace
  double bound = 0;
  Index tensors = 0;  // how many were compared

  bool Passed() const { return error <= bound; }  // false for NaN
};

/// Result of a check, and our own numbers under the reference's names.
struct ReferenceCheck {
  std::vector<GroupResult> groups;
  std::vector<io::NamedTensor> own;

  bool Passed() const;
};

/// Computes what a reference directory holds (a model with golden.safetensors and golden.json: logits, loss, every
/// gradient, the basis, scores and their gradients, loss curves) and compares. Bounds: in float 1e-5, for loss curves
/// 1e-4; in the double build 1e-9. Throws std::runtime_error when the directory cannot be read as a reference.
ReferenceCheck CheckReference(const std::filesystem::path& directory);

}  // namespace ampgrad::train
