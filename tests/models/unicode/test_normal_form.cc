#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/unicode/normal_form.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

std::string Utf8(const std::u32string& text) {
  std::string result;
  for (const char32_t c : text) io::AppendUtf8(c, result);
  return result;
}

// FNV-1a over normalized texts, each ended by a zero byte.
class Hash {
 public:
  void Add(const std::u32string& text) {
    for (const char c : NormalFormC(Utf8(text)) + '\0') {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325;
};

std::u32string CodePoints() {
  std::u32string all;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c == 0xD800) c = 0xE000;
    all += c;
  }
  return all;
}

// What takes part in decomposition and composition.
std::set<char32_t> Changing() {
  std::set<char32_t> all;
  for (const CombiningClass& range : kCombiningClasses) {
    for (char32_t c = range.first; c <= range.last; ++c) all.insert(c);
  }
  for (const Singleton& row : kSingletons) all.insert(row.composed);
  for (const Pair& row : kPairs) all.insert(row.composed);
  for (char32_t c = 0xAC00; c < 0xD7A4; ++c) all.insert(c);
  return all;
}

// The examples of Unicode Standard Annex #15, and Hangul.
TEST(NormalFormC, OfKnownTexts) {
  const std::vector<std::pair<std::u32string, std::u32string>> cases = {
      {U"", U""},
      {U"plain", U"plain"},
      {U"caf\u00E9", U"caf\u00E9"},
      {U"cafe\u0301", U"caf\u00E9"},
      {U"\u212B", U"\u00C5"},                // Angstrom sign
      {U"\u2126", U"\u03A9"},                // ohm sign
      {U"\u1E0B\u0323", U"\u1E0D\u0307"},    // marks change places
      {U"q\u0307\u0323", U"q\u0323\u0307"},  // and stay apart
      {U"\u1E9B\u0323", U"\u1E9B\u0323"},
      {U"\uFB01", U"\uFB01"},        // a ligature is no canonical equivalent
      {U"\u0958", U"\u0915\u093C"},  // excluded from composition
      {U"\u1100\u1161", U"\uAC00"},
      {U"\u1100\u1161\u11A8", U"\uAC01"},
      {U"\uAC00\u11A8", U"\uAC01"},
      {U"\uAC01\u11A8", U"\uAC01\u11A8"},
      {U"\u0301a", U"\u0301a"},  // nothing to stand on
      {U"a\u0302\u0301", U"\u1EA5"},
      {U"a\u0301\u0302", U"\u00E1\u0302"},  // the order of marks of one class has a meaning
      {U"\u0041\u030A\U0001F600\u0041\u030A", U"\u00C5\U0001F600\u00C5"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(NormalFormC(Utf8(text)), Utf8(expected)) << Utf8(text);
}

TEST(NormalFormC, LeavesBytesThatAreNoText) {
  EXPECT_EQ(NormalFormC("e\xCC\x81\xFF"), "\xC3\xA9\xFF");
  EXPECT_EQ(NormalFormC("\xCC"), "\xCC");
  EXPECT_EQ(NormalFormC("e\xFF\xCC\x81"), "e\xFF\xCC\x81");
}

// The hashes are those of Python's unicodedata: tests/golden/normal_form.py.
TEST(NormalFormC, IsThatOfPython) {
  Hash alone, between, mixtures;
  for (const char32_t c : CodePoints()) {
    alone.Add({c});
    between.Add({U'a', c, U'\u0301', U'b'});
  }
  EXPECT_EQ(alone.value(), 0xF23C6052C5C92971u);
  EXPECT_EQ(between.value(), 0x216C5BBE53D01D86u);
  std::u32string parts;
  for (const char32_t c : Changing()) parts += c;
  for (const auto& [first, end] : {std::pair{0x41, 0x7B}, {0x1100, 0x1113}, {0x1161, 0x1176}, {0x11A7, 0x11C3}}) {
    for (int c = first; c < end; ++c) parts += static_cast<char32_t>(c);
  }
  uint64_t state = 1;
  for (int i = 0; i < 100000; ++i) {
    std::u32string text;
    for (int k = 0; k < 6; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += parts[(state >> 33) % parts.size()];
    }
    mixtures.Add(text);
  }
  EXPECT_EQ(mixtures.value(), 0x2856E4A0F1DC4B12u);
}

// A hundred thousand marks in the worst order take no quadratic time.
TEST(NormalFormC, OrdersALongRunOfMarks) {
  std::u32string text = U"a";
  for (int i = 0; i < 100000; ++i) text += {0x0301, 0x0323};
  const std::string found = NormalFormC(Utf8(text));
  EXPECT_TRUE(found.starts_with(Utf8(U"\u1EA1\u0323"))) << found.substr(0, 8);
  EXPECT_TRUE(found.ends_with(Utf8(U"\u0301\u0301")));
}

}  // namespace
}  // namespace ampgrad::models
