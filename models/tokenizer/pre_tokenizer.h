#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "models/tokenizer/split_patterns.h"
#include "tensor/io/json.h"

namespace ampgrad::models {

/// The pre_tokenizer of a tokenizer.json: how a text is split into words. Bpe then encodes the words one by one.
class PreTokenizer {
 public:
  /// Reads null, ByteLevel, Metaspace, Digits, a Split by a known pattern, or a Sequence of these; throws
  /// std::runtime_error naming any other.
  explicit PreTokenizer(const io::JsonValue& item);

  /// Passes the words of `text` (not empty, UTF-8) to `word`. `first`: `text` is the start of the user's text.
  void Split(std::string_view text, bool first, const WordSink& word) const { Run(0, text, first, word); }

 private:
  // Passes the pieces of a text to the next step; `first` as above.
  using Step = std::function<void(std::string_view text, bool first, const WordSink& next)>;

  // Applies steps_[step] and all later steps to `text`.
  void Run(size_t step, std::string_view text, bool first, const WordSink& word) const;

  std::vector<Step> steps_;
};

}  // namespace ampgrad::models
