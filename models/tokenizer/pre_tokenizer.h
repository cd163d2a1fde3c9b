#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "tensor/io/json.h"

namespace ampgrad::models {

using WordSink = std::function<void(std::string_view)>;

/// Splits a text as GPT-2's regular expression does: contractions ('s 't 're 've 'm 'll 'd), runs of letters, of numbers,
/// of other characters, each with the space before it if there is one, and runs of whitespace, which leave their last
/// character to what follows. The words, joined, are the text.
void SplitLikeGpt2(std::string_view text, const WordSink& word);

/// The pre_tokenizer of a tokenizer.json: how a text is split into the words that the model then encodes one by one.
class PreTokenizer {
 public:
  /// Reads null, ByteLevel, Metaspace, Digits or a Sequence of these; throws std::runtime_error naming any other.
  explicit PreTokenizer(const io::JsonValue& item);

  /// Gives the words of `text` (not empty, UTF-8) to `word`. `first`: the text starts where the user's does.
  void Split(std::string_view text, bool first, const WordSink& word) const { Run(0, text, first, word); }

 private:
  // Gives the pieces of a text to the next step; `first` as above.
  using Step = std::function<void(std::string_view text, bool first, const WordSink& next)>;

  // The words of `text` after steps_[step] and those behind it.
  void Run(size_t step, std::string_view text, bool first, const WordSink& word) const;

  std::vector<Step> steps_;
};

}  // namespace ampgrad::models
