#pragma once

#include <string>

/// Text in the columns of a terminal. A code point takes one column, as no name here is of double width, and a
/// combining accent, U+0300 to U+033F, none.
namespace ampgrad::report {

/// The longest line of a report.
inline constexpr size_t kColumns = 100;

/// Columns that a text takes.
size_t Width(const std::string& text);

/// The text with spaces behind or before it up to `width` columns.
std::string Left(const std::string& text, size_t width);
std::string Right(const std::string& text, size_t width);

/// The bytes of at most `width` columns from `start` on: up to a space if one is there, else through the word.
size_t LineLength(const std::string& text, size_t start, size_t width);

/// Text in lines of at most kColumns, all but the first indented.
std::string Wrap(const std::string& text, size_t indent);

}  // namespace ampgrad::report
