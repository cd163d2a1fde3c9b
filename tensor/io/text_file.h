#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace ampgrad::io {

/// The content of a regular file of at most `limit` bytes. Throws std::runtime_error naming the file.
std::string ReadTextFile(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 30);

}  // namespace ampgrad::io
