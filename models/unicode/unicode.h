#pragma once

#include <span>

namespace ampgrad::models {

/// The classes of code points that tokenizers split by, as sorted ranges, both ends included. The tables are generated:
/// models/unicode/make_unicode_table.py.
struct CodePointRange {
  char32_t first, last;
};
extern const char kUnicodeVersion[];
/// General categories L*; N*; P*; the property White_Space; what \w of a regular expression matches.
extern const std::span<const CodePointRange> kLetterClass, kNumberClass, kPunctuationClass, kWhitespaceClass,
    kWordClass;

bool IsLetter(char32_t code_point);
bool IsNumber(char32_t code_point);
bool IsPunctuation(char32_t code_point);
bool IsWhitespace(char32_t code_point);
bool IsWord(char32_t code_point);

}  // namespace ampgrad::models
