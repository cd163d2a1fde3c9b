#pragma once

#include <string>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// The fields of a Metaspace step, which writes spaces as another character, usually U+2581.
struct Metaspace {
  enum class Prepend { kFirst, kNever, kAlways };

  std::string replacement;  // one character
  Prepend prepend;          // which pieces of a text the replacement is put before: only the first, none, all
  bool split;               // whether each replacement starts a word

  /// Throws std::runtime_error for a field of the wrong type, and when add_prefix_space (of old files) and
  /// prepend_scheme contradict each other.
  explicit Metaspace(const io::JsonValue& item);
};

}  // namespace ampgrad::models
