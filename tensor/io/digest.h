#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace ampgrad::io {

/// A 64-bit hash of bytes: it tells that something has changed, and does not resist anybody who wants it to look
/// unchanged.
class Digest {
 public:
  /// Adds `size` bytes and their number: two calls differ from one call with the bytes of both.
  void Add(const void* data, size_t size);
  void Add(const std::string& text) { Add(text.data(), text.size()); }
  /// 16 hexadecimal digits.
  std::string Text() const;

 private:
  void AddWord(uint64_t word);

  uint64_t hash_ = 0;
};

/// Size and hash of a file's bytes, as "N bytes, hash XXXXXXXXXXXXXXXX". Throws std::runtime_error as MappedFile does.
std::string DigestOfFile(const std::filesystem::path& path);

}  // namespace ampgrad::io
