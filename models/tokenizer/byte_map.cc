#include "models/tokenizer/byte_map.h"

#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

constexpr int kEnd = 0x144;  // one past the largest character

constexpr bool StandsForItself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

}  // namespace

const std::array<std::string, 256>& CharacterOfByte() {
  static const auto characters = [] {
    std::array<std::string, 256> result;
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      io::AppendUtf8(StandsForItself(byte) ? static_cast<char32_t>(byte) : next++, result[byte]);
    }
    return result;
  }();
  return characters;
}

std::optional<unsigned char> ByteOfCharacter(char32_t code_point) {
  static const auto bytes = [] {
    std::array<std::optional<unsigned char>, kEnd> result;
    const auto& characters = CharacterOfByte();
    for (int byte = 0; byte < 256; ++byte) {
      result[io::CharacterAt(characters[byte], 0).code_point] = static_cast<unsigned char>(byte);
    }
    return result;
  }();
  return code_point < kEnd ? bytes[code_point] : std::nullopt;
}

}  // namespace ampgrad::models
