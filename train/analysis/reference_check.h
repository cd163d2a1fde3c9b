#pragma once

#include <filesystem>

#include "train/analysis/comparison.h"

namespace ampgrad::train {

/// Computes what a reference directory holds (a model with golden.safetensors and golden.json: logits, loss, every
/// gradient, the basis, scores and their gradients, loss curves; and, with forms.safetensors, other weight forms) and
/// compares. Throws std::runtime_error when the directory cannot be read as a reference.
Comparison CheckReference(const std::filesystem::path& directory);

}  // namespace ampgrad::train
