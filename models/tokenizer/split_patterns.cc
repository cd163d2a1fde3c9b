#include "models/tokenizer/split_patterns.h"

#include <string>

#include "models/unicode/unicode.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

enum class CharacterClass { kLetter, kNumber, kWhitespace, kOther };

CharacterClass ClassOf(char32_t c) {
  if (IsLetter(c)) return CharacterClass::kLetter;
  if (IsNumber(c)) return CharacterClass::kNumber;
  return IsWhitespace(c) ? CharacterClass::kWhitespace : CharacterClass::kOther;
}

CharacterClass ClassAt(std::string_view text, size_t at) { return ClassOf(io::CharacterAt(text, at).code_point); }

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
    if (ClassOf(c.code_point) != wanted) break;
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
  // The known patterns leave nothing between two matches, so it does not matter what would become of that. "Removed" of
  // the inverse removes it; "Isolated" makes it a word.
  const bool inverse = step.Field("invert").BooleanOr(false);
  if (behavior.String() != "Isolated" && !(behavior.String() == "Removed" && inverse)) {
    behavior.Fail("\"Isolated\", or \"Removed\" with invert");
  }
  if (pattern.StringOr("") == kGpt2) return SplitLikeGpt2;
  for (const auto& [known, digits] : {std::pair(kLlama3, 3), std::pair(kQwen2, 1)}) {
    if (pattern.StringOr("") != known) continue;
    return [digits = digits](std::string_view text, const WordSink& word) { SplitLikeLlama3(text, digits, word); };
  }
  pattern.Fail("the pattern of GPT-2, Llama-3 or Qwen-2");
}

}  // namespace ampgrad::models
