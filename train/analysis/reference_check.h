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
/// gradient, the basis, scores and their gradients, loss curves) and compares. Bounds: 1e-5 and 1e-4 for loss curves in
/// float, 1e-9 in the double build. Throws std::runtime_error when the directory is not readable as such.
ReferenceCheck CheckReference(const std::filesystem::path& directory);

}  // namespace ampgrad::train
