#include "tensor/io/printable.h"

#include <cstdint>

namespace ampgrad::io {
namespace {

// The number of bytes of the character that `text` begins with; 0 when it is no valid UTF-8.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  uint32_t code = byte(0) & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  // What a shorter sequence could say, halves of surrogate pairs, and what lies beyond Unicode. A stray continuation
  // byte is also found here.
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool valid = code >= kLeast[length] && code <= 0x10FFFF && !(code >= 0xD800 && code < 0xE000);
  return valid && byte(0) >= 0xC2 && byte(0) < 0xF8 ? length : 0;
}

bool IsControl(std::string_view character) {
  const uint8_t first = static_cast<uint8_t>(character[0]);
  return first < 0x20 || first == 0x7F || (first == 0xC2 && static_cast<uint8_t>(character[1]) < 0xA0);
}

}  // namespace

std::string Printable(std::string_view text, std::string_view kept) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string plain;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    const bool safe = length > 0 && (!IsControl(character) || kept.find(character) != kept.npos);
    if (safe) plain += character;
    for (size_t i = 0; !safe && i < character.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(character[i]);
      plain += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    text.remove_prefix(character.size());
  }
  return plain;
}

std::string Shortened(const std::string& text, size_t longest) {
  if (text.size() <= longest) return text;
  const size_t side = (longest - 3) / 2;  // "…" has three bytes
  const auto inside = [&](size_t i) { return (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80; };
  size_t end = side, begin = text.size() - side;
  while (end > 0 && inside(end)) --end;  // no character is cut in two
  while (begin < text.size() && inside(begin)) ++begin;
  return text.substr(0, end) + "…" + text.substr(begin);
}

}  // namespace ampgrad::io
