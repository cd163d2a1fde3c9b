#pragma once

#include <filesystem>

#include "tensor/stored_tensor.h"
#include "train/commands/options/model_options.h"

namespace ampgrad::train {

/// Writes a model with its adapter merged into its weights, and what else its base's directory has, as a Hugging Face
/// directory. With F32 the matrices that the adapter does not change keep their stored type; with BF16 every matrix is
/// rounded, and the error is printed. Throws std::runtime_error.
void WriteMerged(const std::filesystem::path& out, GivenModel& given, StoredType type);

}  // namespace ampgrad::train
