#include "train/report/text_table.h"

#include <algorithm>

#include "train/report/columns.h"

namespace ampgrad::report {
namespace {

constexpr size_t kApart = 2, kNarrowestName = 8;
constexpr size_t kTitle = 8;  // columns that a title has at least, if it needs them

// The title in lines of at most `width` columns, or of its longest word.
std::vector<std::string> Lines(const std::string& title, size_t width) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < title.size();) {
    const size_t length = LineLength(title, start, width);
    lines.push_back(title.substr(start, length));
    start = title.find_first_not_of(' ', start + length);
  }
  return lines;
}

size_t LongestWord(const std::string& text) {
  size_t longest = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    longest = std::max(longest, Width(text.substr(start, end - start)));
    start = text.find_first_not_of(' ', end);
  }
  return longest;
}

std::string Aligned(const std::string& text, size_t width, bool number) {
  return number ? Right(text, width) : std::string(kApart, ' ') + Left(text, width - kApart);
}

std::string Trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string TextTable(const std::vector<Column>& columns, const std::vector<TextRow>& rows) {
  std::vector<size_t> widths = {Width(columns[0].title)};
  size_t cells = 0, height = 1;
  for (const TextRow& row : rows) widths[0] = std::max(widths[0], Width(row.name));
  for (size_t c = 1; c < columns.size(); ++c) {
    size_t width = std::max(LongestWord(columns[c].title), std::min(kTitle, Width(columns[c].title)));
    for (const TextRow& row : rows) width = std::max(width, Width(row.cells.at(c - 1)));
    widths.push_back(width + kApart);
    cells += width + kApart;
  }
  const size_t room = std::max(kColumns > cells ? kColumns - cells : 0, kNarrowestName);
  widths[0] = std::min(widths[0], room);
  std::vector<std::vector<std::string>> titles;
  for (size_t c = 0; c < columns.size(); ++c) {
    titles.push_back(Lines(columns[c].title, widths[c] - (c == 0 ? 0 : kApart)));
    height = std::max(height, titles.back().size());
  }
  std::string text;
  for (size_t line = 0; line < height; ++line) {
    std::string head;
    for (size_t c = 0; c < columns.size(); ++c) {
      // Titles stand on the last line of the head.
      const size_t from = height - titles[c].size();
      const std::string part = line < from ? "" : titles[c][line - from];
      head += c == 0 ? Left(part, widths[0]) : Aligned(part, widths[c], columns[c].number);
    }
    text += Trimmed(head);
  }
  for (const TextRow& row : rows) {
    const bool alone = Width(row.name) > widths[0];
    if (alone) text += row.name + "\n";
    std::string line = Left(alone ? "" : row.name, widths[0]);
    for (size_t c = 1; c < columns.size(); ++c) line += Aligned(row.cells[c - 1], widths[c], columns[c].number);
    text += Trimmed(line);
    for (const std::string& below : row.below) text += Wrap("      " + below, 8) + "\n";
  }
  return text;
}

}  // namespace ampgrad::report
