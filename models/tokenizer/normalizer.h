#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// `text` with every occurrence of `pattern` (not empty), from the left, replaced by `content`.
std::string ReplaceAll(std::string_view text, const std::string& pattern, const std::string& content);

/// A Replace step of a tokenizer.json: pattern {"String": …} and content.
struct Replacement {
  std::string pattern, content;
  /// Throws std::runtime_error for a regular expression or an empty pattern. `growth` is the factor by which the steps
  /// so far can lengthen a text. This step's factor is multiplied in, and a product over 64 is refused.
  Replacement(const io::JsonValue& item, size_t& growth);
};

/// The steps of a component of a tokenizer.json: those of a Sequence in order (listed under `key`), no step for null.
/// Throws std::runtime_error for more than 8 steps.
std::vector<io::JsonValue> StepsOf(const io::JsonValue& item, const std::string& key);

/// The normalizer of a tokenizer.json: what is done to a text before it is split.
class Normalizer {
 public:
  /// Reads null, NFC, Prepend, Replace or a Sequence of these; throws std::runtime_error naming any other.
  explicit Normalizer(const io::JsonValue& item);

  std::string Apply(std::string_view text) const;

 private:
  std::vector<std::function<std::string(const std::string& text)>> steps_;
};

}  // namespace ampgrad::models
