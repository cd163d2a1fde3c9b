#pragma once

#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

/// The post_processor of a tokenizer.json, as far as it concerns ids: those that its template puts around a text.
struct PostProcessor {
  std::vector<int> prefix, suffix;

  /// Reads null, ByteLevel (which leaves ids alone), TemplateProcessing or a Sequence of these. Throws std::runtime_error
  /// naming any other, and for a template without just one place for the text, or with a token that it does not define.
  explicit PostProcessor(const io::JsonValue& item);
};

}  // namespace ampgrad::models
