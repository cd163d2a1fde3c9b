#pragma once

#include <array>
#include <optional>
#include <string>

namespace ampgrad::models {

/// GPT-2's byte map, which writes any bytes as printable characters: the 188 printable bytes of Latin-1 stay as they
/// are, and the other 68, in order, become U+0100 onwards.
/// The character of each byte, as UTF-8.
const std::array<std::string, 256>& CharacterOfByte();
/// The byte that a character stands for, if any.
std::optional<unsigned char> ByteOfCharacter(char32_t code_point);

}  // namespace ampgrad::models
