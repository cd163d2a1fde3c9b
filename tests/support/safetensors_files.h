#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/io/safetensors_reader.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

/// Safetensors files, valid and invalid, made byte by byte.
namespace ampgrad {

template <typename T>
std::string BytesOf(const std::vector<T>& numbers) {
  std::string bytes(numbers.size() * sizeof(T), '\0');
  if (!numbers.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

inline std::string Length(uint64_t length) { return BytesOf<uint64_t>({length}); }

inline std::string FileBytes(const std::string& header, const std::string& data = "") {
  return Length(header.size()) + header + data;
}

/// One entry of a header: Entry("a", "F32", "2,3", "0,24").
inline std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" + offsets + "]}";
}

inline std::string HeaderError(const std::string& header, uint64_t data_bytes = 0) {
  return MessageOf({}, [&] { io::ParseSafetensorsHeader(header, data_bytes, "f"); });
}

/// The verdict on a header with the single entry "a".
inline std::string EntryError(const std::string& dtype, const std::string& shape, const std::string& offsets,
                              uint64_t data_bytes) {
  return HeaderError("{" + Entry("a", dtype, shape, offsets) + "}", data_bytes);
}

/// A file D/f with the given bytes.
class File {
 public:
  explicit File(const std::string& bytes) { Put(path(), bytes); }
  std::filesystem::path path() const { return directory_.path() / "f"; }
  std::filesystem::path directory() const { return directory_.path(); }
  io::SafetensorsReader Open() const { return io::SafetensorsReader(path()); }
  std::string OpenError() const {
    return MessageOf(directory(), [&] { Open(); });
  }
  std::string ReadError(const std::string& name) const {
    return MessageOf(directory(), [&] { Open().ReadReal(name); });
  }

 private:
  TempDir directory_;
};

}  // namespace ampgrad
