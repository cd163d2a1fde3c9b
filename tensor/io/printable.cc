#include "tensor/io/printable.h"

#include <cstdint>
#include <stdexcept>

#include "tensor/io/utf8.h"

namespace ampgrad::io {
namespace {

// Those below a space, DEL, and U+0080..U+009F.
bool IsControl(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

}  // namespace

std::string Printable(std::string_view text, std::string_view kept) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string plain;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = CharacterAt(text, at);
    const std::string_view bytes = text.substr(at, static_cast<size_t>(character.size));
    const bool safe = character.valid && (!IsControl(character.code_point) || kept.find(bytes) != kept.npos);
    if (safe) plain += bytes;
    for (size_t i = 0; !safe && i < bytes.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(bytes[i]);
      plain += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    at += bytes.size();
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

void RefuseToRead(const std::string& file, const std::string& message) {
  throw std::runtime_error(file + ": " + message);
}

void RefuseToWrite(const std::filesystem::path& path, const std::string& what) {
  throw std::invalid_argument(path.string() + ": cannot write " + what);
}

}  // namespace ampgrad::io
