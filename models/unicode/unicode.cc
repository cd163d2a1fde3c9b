#include "models/unicode/unicode.h"

#include <algorithm>

namespace ampgrad::models {
namespace {

bool Contains(std::span<const CodePointRange> ranges, char32_t code_point) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code_point,
                                      [](char32_t value, const CodePointRange& range) { return value < range.first; });
  return after != ranges.begin() && code_point <= (after - 1)->last;
}

}  // namespace

bool IsLetter(char32_t code_point) { return Contains(kLetterClass, code_point); }
bool IsNumber(char32_t code_point) { return Contains(kNumberClass, code_point); }
bool IsPunctuation(char32_t code_point) { return Contains(kPunctuationClass, code_point); }
bool IsWhitespace(char32_t code_point) { return Contains(kWhitespaceClass, code_point); }
bool IsWord(char32_t code_point) { return Contains(kWordClass, code_point); }

}  // namespace ampgrad::models
