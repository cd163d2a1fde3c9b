#pragma once

#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"

/// What a text says of a model's tokens, and whether that predicts the scores of its matrices.
namespace ampgrad::corpus {

/// How often `second` follows `first`.
struct Bigram {
  int first, second;
  Index count;
};

/// The counts of a text of N tokens.
struct Bigrams {
  std::vector<Index> unigrams;  // [V], how often each id occurs
  std::vector<Bigram> pairs;    // those that occur, ascending by (first, second)
  Index tokens = 0;             // N; there are N − 1 pairs of neighbours

  /// The ids that occur, ascending.
  std::vector<int> Seen() const;
};

/// Counts ids and pairs of neighbours. Throws std::invalid_argument when there are fewer than two ids or one is outside
/// the vocabulary.
Bigrams CountBigrams(const std::vector<int>& ids, Index vocabulary);

/// The ids of a text to count, without what the tokenizer puts before a text. Throws std::runtime_error when the text
/// is not UTF-8; `where` names it in messages.
std::vector<int> TextIds(const std::string& text, const models::Tokenizer& tokenizer, const std::string& where);

}  // namespace ampgrad::corpus
