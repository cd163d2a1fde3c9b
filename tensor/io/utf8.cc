#include "tensor/io/utf8.h"

#include <cstdio>
#include <stdexcept>

namespace ampgrad::io {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// The number of bytes of a character with a given first byte (0: it starts none), and the range of its second byte.
// That range excludes overlong forms, surrogates and code points over U+10FFFF.
struct Lead {
  int size, low, high;
};

Lead LeadOf(int byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2 || byte > 0xF4) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte < 0xF0) return {3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
  return {4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
}

}  // namespace

Utf8Character CharacterAt(std::string_view text, size_t at) {
  const int first = static_cast<unsigned char>(text[at]);
  Lead lead = LeadOf(first);
  if (lead.size == 0) return {kReplacement, 1, false, false};
  if (lead.size == 1) return {static_cast<char32_t>(first), 1, true, false};
  char32_t code_point = first & (0xFF >> (lead.size + 1));
  for (int i = 1; i < lead.size; ++i) {
    if (at + i == text.size()) return {kReplacement, i, false, true};
    const int byte = static_cast<unsigned char>(text[at + i]);
    if (byte < lead.low || byte > lead.high) return {kReplacement, i, false, false};
    code_point = code_point << 6 | (byte & 0x3F);
    lead.low = 0x80;
    lead.high = 0xBF;
  }
  return {code_point, lead.size, true, false};
}

size_t CharacterBefore(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && (text[at] & 0xC0) == 0x80) --at;
  return at;
}

void RequireUtf8(std::string_view text, const std::string& where) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = CharacterAt(text, at);
    if (!character.valid) {
      char byte[8];
      std::snprintf(byte, sizeof(byte), "0x%02X", static_cast<unsigned char>(text[at]));
      throw std::runtime_error(where + " expected UTF-8, found " +
                               (character.incomplete ? "a character cut short" : std::string("the byte ") + byte) +
                               " at byte " + std::to_string(at));
    }
    at += character.size;
  }
}

void AppendUtf8(char32_t code_point, std::string& text) {
  const auto tail = [&](int shift) { text.push_back(static_cast<char>(0x80 | (code_point >> shift & 0x3F))); };
  if (code_point < 0x80) {
    text.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    text.push_back(static_cast<char>(0xC0 | code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    text.push_back(static_cast<char>(0xE0 | code_point >> 12));
    tail(6), tail(0);
  } else {
    text.push_back(static_cast<char>(0xF0 | code_point >> 18));
    tail(12), tail(6), tail(0);
  }
}

size_t AppendLossyUtf8(std::string_view bytes, bool last, std::string& text) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Character character = CharacterAt(bytes, at);
    if (character.incomplete && !last) break;
    AppendUtf8(character.code_point, text);
    at += character.size;
  }
  return at;
}

}  // namespace ampgrad::io
