#include "train/data/data_file.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ampgrad::train {
namespace {

using std::string_view_literals::operator""sv;

constexpr size_t kMaxValue = 16 << 20;
constexpr std::string_view kSpace = " \t\r\n";

// The first bytes of what is not UTF-8 text. Without a byte-order mark, JSON in UTF-16 has a zero beside its first
// bracket.
constexpr std::pair<std::string_view, const char*> kNoText[] = {
    {"\x1F\x8B"sv, "gzip-compressed"},
    {"\x28\xB5\x2F\xFD"sv, "zstd-compressed"},
    {"\xFD\x37zXZ"sv, "xz-compressed"},
    {"BZh91AY"sv, "bzip2-compressed"},
    {"PK\x03\x04"sv, "a zip archive"},
    {"PAR1"sv, "a Parquet file"},
    {"ARROW1"sv, "an Arrow file"},
    {"\xFF\xFE\x00\x00"sv, "UTF-32"},
    {"\x00\x00\xFE\xFF"sv, "UTF-32"},
    {"\xFF\xFE"sv, "UTF-16"},
    {"\xFE\xFF"sv, "UTF-16"},
    {"{\x00"sv, "UTF-16"},
    {"[\x00"sv, "UTF-16"},
    {"\x00{"sv, "UTF-16"},
    {"\x00["sv, "UTF-16"},
};

// The size of the JSON value at the start of `text`: up to its last bracket or, if it has none, to the comma or bracket
// behind it. Whether it is valid is left to the parser.
size_t SizeOfValue(std::string_view text) {
  Index depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      quoted = !quoted;
    } else if (quoted) {
      if (c == '\\') ++i;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return i;
      if (--depth == 0) return i + 1;
    } else if (c == ',' && depth == 0) {
      return i;
    }
  }
  return text.size();
}

}  // namespace

void RequireText(std::string_view bytes, const std::string& where) {
  for (const auto& [start, name] : kNoText) {
    if (bytes.starts_with(start)) throw std::runtime_error(where + ": is " + name + ", expected UTF-8 text");
  }
}

DataFile::DataFile(std::string_view text, std::string where) : rest_(text), where_(std::move(where)) {
  RequireText(rest_, where_);
  if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  const size_t first = rest_.find_first_not_of(kSpace);
  if (first == std::string_view::npos || rest_[first] != '[') return;
  is_array_ = true;
  Skip(first + 1);
}

std::optional<DataFile::Value> DataFile::Next() { return is_array_ ? NextItem() : NextLine(); }

std::optional<DataFile::Value> DataFile::NextLine() {
  SkipSpace();
  if (rest_.empty()) return std::nullopt;
  return Cut(std::min(rest_.find('\n'), rest_.size()), "a line");
}

std::optional<DataFile::Value> DataFile::NextItem() {
  SkipSpace();
  const bool is_first = std::exchange(is_first_, false);
  if (rest_.empty()) throw std::runtime_error(Place() + ": expected ] at the end of the array, found the file's end");
  if (rest_.front() == ']' || (!is_first && rest_.front() != ',')) {
    if (rest_.front() != ']') throw std::runtime_error(Place() + ": expected a comma between two items of the array");
    Skip(1);
    SkipSpace();
    if (!rest_.empty()) throw std::runtime_error(Place() + ": expected nothing after the array, found more");
    rest_ = "]";  // found again by the next call
    return std::nullopt;
  }
  if (!is_first) Skip(1);
  SkipSpace();
  return Cut(SizeOfValue(rest_), "an item");
}

DataFile::Value DataFile::Cut(size_t size, const char* what) {
  if (size > kMaxValue) {
    throw std::runtime_error(Place() + ": expected " + what + " of at most " + std::to_string(kMaxValue) +
                             " bytes, found " + std::to_string(size));
  }
  const Value value{rest_.substr(0, size), line_};
  Skip(size);
  return value;
}

void DataFile::Skip(size_t size) {
  line_ += std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size), '\n');
  rest_.remove_prefix(size);
}

void DataFile::SkipSpace() { Skip(std::min(rest_.find_first_not_of(kSpace), rest_.size())); }

}  // namespace ampgrad::train
