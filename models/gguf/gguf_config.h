#pragma once

#include <nlohmann/json_fwd.hpp>

#include "models/gguf/gguf_model.h"

namespace ampgrad::models {

/// The config.json of the model in a GGUF file, as Hugging Face's converter would have read it. Rotary frequencies that
/// a tensor scales (rope_freqs.weight) must be those of Llama-3's scaling, which is then named. Throws
/// std::runtime_error naming the key for what is missing or not supported.
nlohmann::json ConfigOf(const GgufModel& model);

}  // namespace ampgrad::models
