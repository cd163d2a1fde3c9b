#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/unicode/unicode.h"
#include "tensor/io/utf8.h"
#include "tests/support/small_tokenizers.h"

namespace ampgrad::models {
namespace {

struct TableSize {
  size_t ranges, code_points;
};

TableSize SizeOf(std::span<const CodePointRange> ranges) {
  TableSize size{ranges.size(), 0};
  for (const CodePointRange& range : ranges) size.code_points += range.last - range.first + 1;
  return size;
}

std::string Lossy(const std::string& bytes, bool last = true) {
  std::string text;
  const size_t taken = io::AppendLossyUtf8(bytes, last, text);
  return text + (taken < bytes.size() ? "|" + std::to_string(bytes.size() - taken) : "");
}

std::string Utf8Of(char32_t code_point) {
  std::string text;
  io::AppendUtf8(code_point, text);
  return text;
}

TEST(Unicode, TablesAreThoseOfUnicode14) {
  EXPECT_STREQ(kUnicodeVersion, "14.0.0");
  const TableSize letters = SizeOf(kLetterClass), numbers = SizeOf(kNumberClass), spaces = SizeOf(kWhitespaceClass);
  EXPECT_EQ(letters.code_points, 131756u);
  EXPECT_EQ(letters.ranges, 648u);
  EXPECT_EQ(numbers.code_points, 1791u);
  EXPECT_EQ(numbers.ranges, 134u);
  EXPECT_EQ(spaces.code_points, 25u);
  EXPECT_EQ(spaces.ranges, 10u);
}

TEST(Unicode, TablesAreSortedAndApart) {
  for (const auto& ranges : {kLetterClass, kNumberClass, kWhitespaceClass, kWordClass}) {
    for (size_t i = 0; i < ranges.size(); ++i) {
      ASSERT_LE(ranges[i].first, ranges[i].last);
      ASSERT_TRUE(i == 0 || ranges[i - 1].last + 1 < ranges[i].first);
    }
  }
}

TEST(Unicode, ClassesOfKnownCharacters) {
  for (const char32_t c : {U'A', U'z', U'é', U'ß', U'日', U'ـ', U'ʰ', char32_t{0x10000}})
    EXPECT_TRUE(IsLetter(c)) << +c;
  for (const char32_t c : {U'0', U'½', U'Ⅷ', U'²', U'٣'}) EXPECT_TRUE(IsNumber(c) && !IsLetter(c)) << +c;
  for (const char32_t c : {U'\t', U' ', U'\u0085', U'\u00A0', U'\u3000'}) EXPECT_TRUE(IsWhitespace(c)) << +c;
  for (const char32_t c : {0x200B, 0xFEFF, 0x1C, 0x1F, 0x180E}) EXPECT_FALSE(IsWhitespace(c)) << +c;
  // Marks and the joiner are neither letters nor numbers, but part of words.
  for (const char32_t c : {0x301, 0xE31, 0x93E, 0x200D}) EXPECT_TRUE(!IsLetter(c) && !IsNumber(c) && IsWord(c)) << +c;
  for (const char32_t c : {U'_', U'a', U'7', U'Ⅷ', U'Ⓐ'}) EXPECT_TRUE(IsWord(c)) << +c;
  for (const char32_t c : {U'-', U' ', U'½', U'.', U'€'}) EXPECT_FALSE(IsWord(c)) << +c;
}

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c == 0xD800) c = 0xE000;
    const std::string text = Utf8Of(c);
    const io::Utf8Character found = io::CharacterAt(text, 0);
    ASSERT_TRUE(found.valid && found.code_point == c && found.size == static_cast<int>(text.size())) << +c;
    ASSERT_EQ(io::CharacterBefore("a" + text, 1 + text.size()), 1u);
  }
}

// Overlong, surrogate, over U+10FFFF, cut short, stray.
TEST(Utf8, RefusesWhatIsNoneNamingTheByte) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\xC0\x80", "found the byte 0xC0 at byte 3"},
      {"\xC1\xBF", "found the byte 0xC1 at byte 3"},
      {"\xE0\x9F\xBF", "found the byte 0xE0 at byte 3"},
      {"\xED\xA0\x80", "found the byte 0xED at byte 3"},
      {"\xF0\x8F\xBF\xBF", "found the byte 0xF0 at byte 3"},
      {"\xF4\x90\x80\x80", "found the byte 0xF4 at byte 3"},
      {"\xF5\x80\x80\x80", "found the byte 0xF5 at byte 3"},
      {"\x80", "found the byte 0x80 at byte 3"},
      {"\xFF", "found the byte 0xFF at byte 3"},
      {"\xE2\x82z", "found the byte 0xE2 at byte 3"},
      {"\xE2\x82", "found a character cut short at byte 3"},
      {"\xF0\x9F\x98", "found a character cut short at byte 3"}};
  for (const auto& [bytes, found] : cases) {
    EXPECT_EQ(ErrorOf([&] { Tokenizer::Bytes().Encode("a\u00E9" + bytes); }), "[tokenizer] expected UTF-8, " + found);
    EXPECT_EQ(ErrorOf([&] { Small(LlamaLikeFile()).Encode("a\u00E9" + bytes); }),
              "[tokenizer] expected UTF-8, " + found);
  }
  EXPECT_EQ(ErrorOf([] { Tokenizer::Bytes().Encode("a\u00E9\uD7FF\uE000\U0010FFFF"); }), "");
}

// The rule of Rust's from_utf8_lossy, which is Unicode's "substitution of maximal subparts".
TEST(Utf8, LossyGivesOneReplacementForEachBadRun) {
  EXPECT_EQ(Lossy("a\u00E9\U0001F600"), "a\u00E9\U0001F600");
  EXPECT_EQ(Lossy("\xC0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(Lossy("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(Lossy("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(Lossy("\xE2\x82z"), "\uFFFDz");
  EXPECT_EQ(Lossy("\xF0\x9F\x98\xF0\x9F\x98\x80"), "\uFFFD\U0001F600");
  EXPECT_EQ(Lossy("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(Lossy("a\xF0\x9F\x98", /*last=*/false), "a|3");
  EXPECT_EQ(Lossy("a\xF0\x8F", /*last=*/false), "a\uFFFD\uFFFD");  // no byte could make a character of it
}

}  // namespace
}  // namespace ampgrad::models
