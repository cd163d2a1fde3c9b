#include "models/tokenizer/split_patterns.h"

#include <string>

#include "models/unicode/unicode.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

enum class CharacterClass { kLetter, kNumber, kWhitespace, kOther };

CharacterClass CharacterClassOf(char32_t c) {
  if (IsLetter(c)) return CharacterClass::kLetter;
  if (IsNumber(c)) return CharacterClass::kNumber;
  return IsWhitespace(c) ? CharacterClass::kWhitespace : CharacterClass::kOther;
}

CharacterClass ClassAt(std::string_view text, size_t at) {
  return CharacterClassOf(io::CharacterAt(text, at).code_point);
}

bool IsLineBreak(char c) { return c == '\r' || c == '\n'; }

// Where the run of characters of one class that starts at `at` ends, and where its last character starts.
struct Run {
  size_t end, last;
};
Run RunAt(std::string_view text, size_t at, int longest = -1) {
  const CharacterClass wanted = ClassAt(text, at);
  Run run{at, at};
  while (run.end < text.size() && longest-- != 0) {
    const io::Utf8Character c = io::CharacterAt(text, run.end);
    if (CharacterClassOf(c.code_point) != wanted) break;
    run.last = run.end;
    run.end += c.size;
  }
  return run;
}

// \s+(?!\S)|\s+: the whitespace at `at`, without its last character if something follows.
size_t WhitespaceEnd(std::string_view text, size_t at) {
  const Run run = RunAt(text, at);
  return run.end < text.size() && run.last > at ? run.last : run.end;
}

// The end of the contraction at `at`, or `at` when there is none.
size_t ContractionEnd(std::string_view text, size_t at, bool any_case) {
  if (text[at] != '\'') return at;
  std::string word(text.substr(at, 3));
  if (any_case) {
    constexpr std::string_view kLongS = "\u017F";  // the small letter s is its folded form
    if (text.substr(at + 1).starts_with(kLongS)) return at + 1 + kLongS.size();
    for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const std::string_view contraction : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (word.starts_with(contraction)) return at + contraction.size();
  }
  return at;
}

size_t Gpt2WordEnd(std::string_view text, size_t at) {
  if (const size_t end = ContractionEnd(text, at, false); end > at) return end;
  const bool spaced = text[at] == ' ' && at + 1 < text.size();
  if (spaced && ClassAt(text, at + 1) != CharacterClass::kWhitespace) return RunAt(text, at + 1).end;
  return ClassAt(text, at) == CharacterClass::kWhitespace ? WhitespaceEnd(text, at) : RunAt(text, at).end;
}

size_t Llama3WordEnd(std::string_view text, size_t at, int digits) {
  if (const size_t end = ContractionEnd(text, at, true); end > at) return end;
  const CharacterClass first = ClassAt(text, at);
  if (first == CharacterClass::kLetter) return RunAt(text, at).end;
  if (first == CharacterClass::kNumber) return RunAt(text, at, digits).end;
  const size_t second = at + io::CharacterAt(text, at).size;
  const bool more = second < text.size();
  if (more && !IsLineBreak(text[at]) && ClassAt(text, second) == CharacterClass::kLetter)
    return RunAt(text, second).end;
  const bool spaced = text[at] == ' ' && more && ClassAt(text, second) == CharacterClass::kOther;
  if (spaced || first == CharacterClass::kOther) {
    size_t end = RunAt(text, spaced ? second : at).end;
    while (end < text.size() && IsLineBreak(text[end])) ++end;
    return end;
  }
  size_t end = RunAt(text, at).end;
  while (end > at && !IsLineBreak(text[end - 1])) --end;  // a line break is one byte, and no part of another character
  return end > at ? end : WhitespaceEnd(text, at);
}

bool IsMarkOfDefault(char32_t c) {
  constexpr std::string_view kSymbols = "$+<=>^~|";
  return IsPunctuation(c) || (c < 0x80 && kSymbols.find(static_cast<char>(c)) != kSymbols.npos);
}

// Runs of the characters that belong become words of their own, and so does the text between them.
void IsolateRuns(std::string_view text, bool (*belongs)(char32_t), const WordSink& word) {
  const auto belongs_at = [&](size_t at) { return belongs(io::CharacterAt(text, at).code_point); };
  for (size_t at = 0, end; at < text.size(); at = end) {
    const bool first = belongs_at(at);
    end = at;
    while (end < text.size() && belongs_at(end) == first) end += io::CharacterAt(text, end).size;
    word(text.substr(at, end - at));
  }
}

// Three digits at a time become words of their own, and so does the text between them.
void IsolateThreeDigits(std::string_view text, const WordSink& word) {
  const auto is_digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    if (!(is_digit(at) && is_digit(at + 1) && is_digit(at + 2))) {
      ++at;
      continue;
    }
    if (at > begin) word(text.substr(begin, at - begin));
    word(text.substr(at, 3));
    begin = at += 3;
  }
  if (begin < text.size()) word(text.substr(begin));
}

}  // namespace

void SplitLikeGpt2(std::string_view text, const WordSink& word) {
  for (size_t at = 0, end; at < text.size(); at = end) {
    end = Gpt2WordEnd(text, at);
    word(text.substr(at, end - at));
  }
}

void SplitLikeLlama3(std::string_view text, int digits, const WordSink& word) {
  for (size_t at = 0, end; at < text.size(); at = end) {
    end = Llama3WordEnd(text, at, digits);
    word(text.substr(at, end - at));
  }
}

std::function<void(std::string_view, const WordSink&)> SplitterOf(const io::JsonValue& step) {
  const io::JsonValue pattern = step.Field("pattern").Field("Regex"), behavior = step.Field("behavior");
  const std::string text = pattern.StringOr("");
  const bool isolated = behavior.String() == "Isolated";
  if (isolated && text == kPunctuationPattern) {
    return [](std::string_view t, const WordSink& word) { IsolateRuns(t, IsMarkOfDefault, word); };
  }
  if (isolated && text == kNumberPattern) {
    return [](std::string_view t, const WordSink& word) { IsolateRuns(t, IsNumber, word); };
  }
  if (isolated && text == kThreeDigitsPattern) return IsolateThreeDigits;
  // The other patterns leave nothing between two matches, so it does not matter what would become of that. "Removed" of
  // the inverse removes it; "Isolated" makes it a word.
  const bool inverse = step.Field("invert").BooleanOr(false);
  if (!isolated && !(behavior.String() == "Removed" && inverse)) {
    behavior.Fail("\"Isolated\", or \"Removed\" with invert");
  }
  if (text == kGpt2Pattern) return SplitLikeGpt2;
  for (const auto& [known, digits] : {std::pair(kLlama3Pattern, 3), std::pair(kQwen2Pattern, 1)}) {
    if (text != known) continue;
    return [digits = digits](std::string_view t, const WordSink& word) { SplitLikeLlama3(t, digits, word); };
  }
  pattern.Fail("the pattern of GPT-2, Llama-3 or Qwen-2");
}

}  // namespace ampgrad::models
