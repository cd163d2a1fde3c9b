#include "train/analysis/answer_match.h"

#include <iterator>
#include <stdexcept>

namespace ampgrad::train {
namespace {

constexpr const char* kMatchNames[] = {"none", "number", "text"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The character at `i`, or 0 beyond the text.
char At(std::string_view text, size_t i) { return i < text.size() ? text[i] : '\0'; }

// Whether the number whose first digit or point is at `i` is negative: 10-3 is no negative 3, but -3, -$3 and $-3 are.
bool IsNegative(std::string_view text, size_t i) {
  if (i > 0 && text[i - 1] == '$') --i;
  return i > 0 && text[i - 1] == '-' && (i == 1 || !IsWord(text[i - 2]));
}

// One spelling for equal numbers.
std::string Spelling(bool negative, std::string whole, std::string fraction) {
  whole.erase(0, whole.find_first_not_of('0'));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (whole.empty()) whole.push_back('0');
  if (!fraction.empty()) whole += "." + fraction;
  return (negative && whole != "0" ? "-" : "") + whole;
}

// The first number at or after `at`, which moves behind it.
std::optional<std::string> NextNumber(std::string_view text, size_t& at) {
  const auto starts = [&](size_t i) {
    return IsDigit(text[i]) || (text[i] == '.' && IsDigit(At(text, i + 1)) && (i == 0 || !IsWord(text[i - 1])));
  };
  while (at < text.size() && !starts(at)) ++at;
  if (at == text.size()) return std::nullopt;
  const bool negative = IsNegative(text, at);
  std::string whole, fraction;
  for (; IsDigit(At(text, at)) || (At(text, at) == ',' && !whole.empty() && IsDigit(At(text, at + 1))); ++at) {
    if (text[at] != ',') whole.push_back(text[at]);
  }
  if (At(text, at) == '.' && IsDigit(At(text, at + 1))) {
    for (++at; IsDigit(At(text, at)); ++at) fraction.push_back(text[at]);
  }
  return Spelling(negative, whole, fraction);
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kSpace);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

const char* ToString(Match match) { return kMatchNames[static_cast<int>(match)]; }

Match ParseMatch(const std::string& name) {
  for (int i = 0; i < static_cast<int>(std::size(kMatchNames)); ++i) {
    if (name == kMatchNames[i]) return static_cast<Match>(i);
  }
  throw std::invalid_argument("[match] expected none, number or text, found '" + name + "'");
}

std::optional<std::string> FinalNumber(std::string_view text) {
  constexpr std::string_view kMarker = "####";
  size_t at = text.find(kMarker);
  if (at != text.npos) {
    at += kMarker.size();
    return NextNumber(text, at);
  }
  std::optional<std::string> last;
  at = 0;
  while (const std::optional<std::string> number = NextNumber(text, at)) last = number;
  return last;
}

bool Agree(Match match, const std::string& answer, const std::string& expected) {
  if (match == Match::kText) return Trimmed(answer) == Trimmed(expected);
  const std::optional<std::string> number = FinalNumber(expected);
  return match == Match::kNumber && number && number == FinalNumber(answer);
}

}  // namespace ampgrad::train
