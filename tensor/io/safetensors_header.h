#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ampgrad::io {

/// One tensor of a safetensors file: row-major, packed, little-endian numbers.
struct TensorEntry {
  std::string name;
  std::string dtype;  // as the file spells it: "F32", "BF16", ...
  std::vector<uint64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes, from the start of the data
};

/// The header of a safetensors file (https://github.com/huggingface/safetensors#format).
struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

/// Longest header that a file may have, in bytes; the reference reader's limit.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

/// Reads the JSON header `text` of `file` (a name for messages), which `data_bytes` bytes of data follow, and checks
/// everything that can be checked without the data. Afterwards every entry has a known dtype, its span lies within the
/// data and has as many bytes as dtype and shape require, and the spans follow each other from the first byte to the
/// last without gap or overlap. Accepts what the reference reader accepts, but refuses a repeated tensor or metadata
/// name. Throws std::runtime_error.
SafetensorsHeader ParseSafetensorsHeader(std::string_view text, uint64_t data_bytes, const std::string& file);

/// A name from a file, made safe for a message: in quotes, cut when long, other bytes than printable ASCII as \xNN.
std::string QuoteName(std::string_view name);

}  // namespace ampgrad::io
