#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tensor/io/json.h"
#include "tensor/tensor.h"

namespace ampgrad::models {

/// The frequencies of rotary positions (Su et al., arXiv:2104.09864), as Hugging Face's config.json gives them.
struct RopeConfig {
  enum class Type { kDefault, kLinear, kLlama3 };

  Type type = Type::kDefault;
  double theta = 10000;
  double factor = 1;           // linear and llama3: how much longer the context has become
  double low_freq_factor = 1;  // llama3
  double high_freq_factor = 4;
  Index original_context = 8192;  // llama3: tokens

  /// Reads the older form (`rope_theta`, `rope_scaling`) or the later one (`rope_parameters`), each possibly once for
  /// every type of layer, which must then agree. Throws std::runtime_error naming a type that is not supported, and for
  /// forms that contradict each other. `context` is the default of original_max_position_embeddings.
  static RopeConfig FromJson(const io::JsonValue& config, Index context);
  /// The value of `rope_scaling`; null for the default type.
  nlohmann::json ScalingJson() const;
  bool operator==(const RopeConfig&) const = default;
};

/// f_j = theta^(−2j/D) [D/2], j = 0, 1, …, scaled. `linear` divides every f_j by the factor. `llama3` divides f_j where
/// its wavelength 2π/f_j is over original_context / low_freq_factor, keeps f_j where the wavelength is below
/// original_context / high_freq_factor, and interpolates in between, by a share linear in 1/wavelength
/// (https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py).
Tensor InverseFrequencies(const RopeConfig& rope, Index head_dim);

}  // namespace ampgrad::models
