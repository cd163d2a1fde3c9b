#pragma once

#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// The post_processor of a tokenizer.json, reduced to the ids that its template puts around a text.
struct PostProcessor {
  std::vector<int> prefix, suffix;

  /// Reads null, ByteLevel (which does not change ids), TemplateProcessing or a Sequence of these. Throws
  /// std::runtime_error naming any other, and for a template that does not have exactly one place for the text, or uses
  /// a token that it does not define.
  explicit PostProcessor(const io::JsonValue& item);
};

}  // namespace ampgrad::models
