#pragma once

#include <filesystem>
#include <string>

#include "ct/adapter/low_rank_adapter.h"
#include "nn/modules.h"

namespace ampgrad::ct {

/// Reads an adapter that Hugging Face's PEFT saved over the model with these parts: adapter_config.json (`PeftConfig`)
/// and adapter_model.safetensors, whose tensors are named after the modules of the model, with the checkpoint's prefix,
/// "transformer." or "model.". LoRA, rsLoRA and DoRA, and whole modules. The updates come in the order of the model.
/// Throws std::runtime_error naming the key or the tensor for what is not understood: another kind of adapter, a tensor
/// that is missing or surplus, has a wrong shape or is not finite, and what this model cannot hold.
LowRankAdapter ReadPeftAdapter(const std::filesystem::path& directory, const nn::Parts& parts,
                               const std::string& checkpoint_prefix);

}  // namespace ampgrad::ct
