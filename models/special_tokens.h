#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// The tokens that a config.json names as the begin and the end of a text.
struct SpecialTokens {
  std::optional<int> begin;
  std::vector<int> end;  // any of them ends a text

  /// bos_token_id, an integer, and eos_token_id, an integer or a list of them; none where a field is null. Where it is absent
  /// `fallback` holds, the family's default in Hugging Face's libraries, as far as it is a token of a vocabulary of that size.
  /// Throws std::runtime_error naming file and field when a value is anything else, or no such token.
  static SpecialTokens FromJson(const io::JsonValue& config, Index vocabulary, const SpecialTokens& fallback);
  /// Sets the two fields.
  void AddTo(nlohmann::json& config) const;
  /// The tokens that end a generated text: its end, and the begin of another.
  std::vector<int> Stops() const;
};

}  // namespace ampgrad::models
