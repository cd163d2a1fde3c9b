#pragma once

#include <filesystem>
#include <vector>

#include "ct/amplitude.h"

namespace ampgrad::ct {

/// Writes what amplitude-only fine-tuning adds to a base model, as safetensors: `basis` [K, d], `mean` [d] and every
/// tensor of `trained` under its name, `scores.<matrix>` among them; the start is metadata. Throws std::runtime_error
/// when writing fails.
void WriteAmplitudes(const std::filesystem::path& file, const Basis& basis, Start start,
                     const std::vector<Param*>& trained);

}  // namespace ampgrad::ct
