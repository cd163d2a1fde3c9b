#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tensor/real.h"

namespace ampgrad::train {

/// Refuses, by its first bytes, what is not text in UTF-8: text in UTF-16, a compressed file, a Parquet file. Throws
/// std::runtime_error "WHERE: is gzip-compressed, expected UTF-8 text".
void RequireText(std::string_view bytes, const std::string& where);

/// The JSON values of a file one after another: its lines or, when its first character is [, the items of the one array
/// that it holds. Only one value is looked at at a time, so a file of any length takes no memory beside its text. A
/// byte-order mark, blank lines, CRLF and a last line without a line break are accepted.
class DataFile {
 public:
  struct Value {
    std::string_view text;  // of a line, or of an item; not parsed yet
    Index line;             // where it starts, from 1
  };

  /// `text` must outlive this object and every Value; `where` names the file.
  DataFile(std::string_view text, std::string where);

  /// The next value, or none at the end. Throws std::runtime_error for a value over 16 MiB, and for an array that does
  /// not end, or not at the end of the file.
  std::optional<Value> Next();

 private:
  std::optional<Value> NextLine();
  std::optional<Value> NextItem();
  Value Cut(size_t size, const char* what);
  // Moves over `size` bytes and counts their line breaks.
  void Skip(size_t size);
  void SkipSpace();
  // The line that is being read, as messages name it.
  std::string Place() const { return where_ + ":" + std::to_string(line_); }

  std::string_view rest_;
  std::string where_;
  Index line_ = 1;
  bool is_array_ = false;
  bool is_first_ = true;  // of an array: no item was read yet
};

}  // namespace ampgrad::train
