#pragma once

#include <filesystem>
#include <optional>

namespace ampgrad::models {

/// The GGUF file that a model path means: the path itself if it is one, or the only one in a directory that has neither
/// config.json nor safetensors; of a split model, its first part. None for a directory of Hugging Face's form. Throws
/// std::runtime_error for a directory with several models in GGUF.
std::optional<std::filesystem::path> GgufOf(const std::filesystem::path& model);

}  // namespace ampgrad::models
