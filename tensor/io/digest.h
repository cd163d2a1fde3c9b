#pragma once

#include <filesystem>
#include <string>

namespace ampgrad::io {

/// Size and a 64-bit hash of a file's bytes, as "N bytes, hash XXXXXXXXXXXXXXXX": it tells that a file has changed, and
/// does not resist anybody who wants it to look unchanged. Throws std::runtime_error as MappedFile does.
std::string DigestOfFile(const std::filesystem::path& path);

}  // namespace ampgrad::io
