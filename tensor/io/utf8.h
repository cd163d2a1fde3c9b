#pragma once

#include <string>
#include <string_view>

namespace ampgrad::io {

/// The character that starts at some byte of a text. For bytes that are not UTF-8 (overlong, surrogates, over U+10FFFF,
/// cut short): the longest run that begins like a character, and the code point U+FFFD.
struct Utf8Character {
  char32_t code_point;
  int size;         // bytes, at least 1
  bool valid;       // false: the bytes are no character
  bool incomplete;  // not valid, but more bytes at the end of the text could make it so
};

/// Reads the character that starts at byte `at` < text.size().
Utf8Character CharacterAt(std::string_view text, size_t at);

/// The first byte of the character that ends before byte `end` > 0 of a valid text.
size_t CharacterBefore(std::string_view text, size_t end);

/// Throws std::runtime_error naming the byte unless `text` is UTF-8; `where` starts the message.
void RequireUtf8(std::string_view text, const std::string& where);

void AppendUtf8(char32_t code_point, std::string& text);

/// Appends `bytes` with one U+FFFD for each maximal run that is not UTF-8. Returns how many bytes were read: all of
/// them or, unless `last`, all before an incomplete character at the end.
size_t AppendLossyUtf8(std::string_view bytes, bool last, std::string& text);

}  // namespace ampgrad::io
