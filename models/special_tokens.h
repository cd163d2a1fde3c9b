#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// The tokens that a config.json names as the beginning and the end of a text.
struct SpecialTokens {
  std::optional<int> begin;
  std::vector<int> end;  // any of them ends a text

  /// Reads bos_token_id, an integer, and eos_token_id, an integer or a list. A null field stands for no token. An
  /// absent field stands for the tokens of `fallback` (the default of Hugging Face's libraries for the model family)
  /// that are below `vocabulary`; if the field itself names one of these that is not, it is left out with a note on
  /// stderr. Throws std::runtime_error naming file and field for any other value or id.
  static SpecialTokens FromJson(const io::JsonValue& config, Index vocabulary, const SpecialTokens& fallback);
  /// Sets the two fields.
  void AddTo(nlohmann::json& config) const;
  /// The tokens that end a generated text: those of its end, and the token that begins another.
  std::vector<int> Stops() const;
};

}  // namespace ampgrad::models
