#include "models/unicode/normal_form.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

// The arithmetic of Hangul syllables: a leading consonant, a vowel, and a trailing consonant or none (Unicode, 3.12).
constexpr char32_t kSyllables = 0xAC00, kLeading = 0x1100, kVowels = 0x1161, kTrailing = 0x11A7;
constexpr char32_t kLeadingCount = 19, kVowelCount = 21, kTrailingCount = 28;
constexpr char32_t kSyllableCount = kLeadingCount * kVowelCount * kTrailingCount;

uint8_t CombiningClassOf(char32_t code_point) {
  const auto after = std::upper_bound(kCombiningClasses.begin(), kCombiningClasses.end(), code_point,
                                      [](char32_t value, const CombiningClass& range) { return value < range.first; });
  return after != kCombiningClasses.begin() && code_point <= (after - 1)->last ? (after - 1)->value : 0;
}

// The row of a sorted table for `composed`; null when there is none.
template <class Row>
const Row* Find(std::span<const Row> table, char32_t composed) {
  const auto row = std::lower_bound(table.begin(), table.end(), composed,
                                    [](const Row& a, char32_t value) { return a.composed < value; });
  return row != table.end() && row->composed == composed ? &*row : nullptr;
}

void Decompose(char32_t code_point, std::u32string& parts) {
  if (const char32_t index = code_point - kSyllables; code_point >= kSyllables && index < kSyllableCount) {
    parts += kLeading + index / (kVowelCount * kTrailingCount);
    parts += kVowels + index / kTrailingCount % kVowelCount;
    if (index % kTrailingCount != 0) parts += kTrailing + index % kTrailingCount;
  } else if (const Singleton* singleton = Find(kSingletons, code_point)) {
    Decompose(singleton->only, parts);
  } else if (const Pair* pair = Find(kPairs, code_point)) {
    Decompose(pair->first, parts);
    parts += pair->second;  // a mark, which is never taken apart itself
  } else {
    parts += code_point;
  }
}

// Sorts each run of marks by class. Marks of one class keep their order, which may change the meaning.
void OrderMarks(std::u32string& text) {
  const auto is_starter = [](char32_t c) { return CombiningClassOf(c) == 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if_not(begin, text.end(), is_starter);
    const auto end = std::find_if(begin, text.end(), is_starter);
    std::stable_sort(begin, end, [](char32_t a, char32_t b) { return CombiningClassOf(a) < CombiningClassOf(b); });
    begin = end;
  }
}

// What the two compose to; 0 when they stay apart.
char32_t Composed(char32_t first, char32_t second) {
  static const std::map<std::pair<char32_t, char32_t>, char32_t> pairs = [] {
    std::map<std::pair<char32_t, char32_t>, char32_t> result;
    for (const Pair& pair : kPairs) {
      if (!std::binary_search(kNeverComposed.begin(), kNeverComposed.end(), pair.composed)) {
        result[{pair.first, pair.second}] = pair.composed;
      }
    }
    return result;
  }();
  const char32_t leading = first - kLeading, vowel = second - kVowels, trailing = second - kTrailing;
  if (first >= kLeading && leading < kLeadingCount && second >= kVowels && vowel < kVowelCount) {
    return kSyllables + (leading * kVowelCount + vowel) * kTrailingCount;
  }
  const char32_t syllable = first - kSyllables;
  if (first >= kSyllables && syllable < kSyllableCount && syllable % kTrailingCount == 0 && second > kTrailing &&
      trailing < kTrailingCount) {
    return first + trailing;
  }
  const auto found = pairs.find({first, second});
  return found == pairs.end() ? 0 : found->second;
}

// Composes each code point with the last starter before it, unless one that stands between them blocks it: one of class
// 0, or of the same class or a higher one.
std::u32string Compose(const std::u32string& text) {
  std::u32string result;
  size_t starter = text.npos;
  int last_class = -1;  // of what stands behind the starter; −1: nothing
  for (const char32_t code_point : text) {
    const int own_class = CombiningClassOf(code_point);
    const char32_t composed =
        starter != text.npos && last_class < own_class ? Composed(result[starter], code_point) : 0;
    if (composed != 0) {
      result[starter] = composed;
      continue;
    }
    if (own_class == 0) {
      starter = result.size();
      last_class = -1;
    } else {
      last_class = own_class;
    }
    result += code_point;
  }
  return result;
}

std::string ComposedUtf8(std::u32string& decomposed) {
  OrderMarks(decomposed);
  std::string text;
  for (const char32_t code_point : Compose(decomposed)) io::AppendUtf8(code_point, text);
  decomposed.clear();
  return text;
}

}  // namespace

std::string NormalFormC(std::string_view text) {
  // Nothing below U+0300, the first mark, changes; from there on the first byte of a character is 0xCC or more.
  if (std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xCC; })) {
    return std::string(text);
  }
  std::string result;
  std::u32string decomposed;
  for (size_t at = 0; at < text.size();) {
    const io::Utf8Character character = io::CharacterAt(text, at);
    const auto size = static_cast<size_t>(character.size);
    if (character.valid) {
      Decompose(character.code_point, decomposed);
    } else {
      result += ComposedUtf8(decomposed);
      result += text.substr(at, size);
    }
    at += size;
  }
  return result + ComposedUtf8(decomposed);
}

}  // namespace ampgrad::models
