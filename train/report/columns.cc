#include "train/report/columns.h"

#include <algorithm>

namespace ampgrad::report {
namespace {

// A byte that takes no column: one within a code point, or the first of a combining accent, as in x̂.
bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80 || c == '\xCC'; }

}  // namespace

size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !Continues(c); }));
}

std::string Left(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, Width(text)), ' ');
}

std::string Right(const std::string& text, size_t width) {
  return std::string(width - std::min(width, Width(text)), ' ') + text;
}

size_t LineLength(const std::string& text, size_t start, size_t width) {
  size_t end = start, last_space = start;
  for (size_t columns = 0; end < text.size(); ++end) {
    if (!Continues(text[end]) && ++columns > width) break;
    if (text[end] == ' ' && end > start && text[end - 1] != ' ') last_space = end;
  }
  return (end == text.size() || last_space == start ? end : last_space) - start;
}

std::string Wrap(const std::string& text, size_t indent) {
  std::string result;
  for (size_t start = 0; start < text.size();) {
    if (start > 0) result += "\n" + std::string(indent, ' ');
    const size_t length = LineLength(text, start, kColumns - (start > 0 ? indent : 0));
    result += text.substr(start, length);
    start = text.find_first_not_of(' ', start + length);
  }
  return result;
}

}  // namespace ampgrad::report
