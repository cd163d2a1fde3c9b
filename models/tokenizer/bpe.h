#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "models/tokenizer/bpe_merge.h"
#include "models/tokenizer/vocabulary.h"

namespace ampgrad::models {

/// The model part of a tokenizer.json: a byte-pair encoding of words.
class Bpe {
 public:
  /// Reads the object under "model". Throws std::runtime_error for another type of model, a field that would change the
  /// ids but is not supported, and a merge whose parts or result are not tokens.
  explicit Bpe(const io::JsonValue& model);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  /// Appends the ids of `word` (UTF-8). A character without a token becomes the tokens of its bytes or the unknown
  /// token, if the file has them. Otherwise throws std::runtime_error naming the character.
  void Encode(std::string_view word, std::vector<int>& ids) const;

 private:
  static MergeTable ReadMerges(const io::JsonValue& merges, const Vocabulary& vocabulary);
  // Appends the tokens of the bytes of a character that has no token. False when a byte has no token, either.
  bool AppendBytes(std::string_view character, std::vector<int>& tokens) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::optional<int> unknown_;
  bool fuse_unknown_, ignore_merges_;
  std::array<int, 256> token_of_byte_;  // <0xHH>; -1: none
};

}  // namespace ampgrad::models
