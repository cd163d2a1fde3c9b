#include "tensor/io/text_file.h"

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "tensor/io/own_file.h"

namespace ampgrad::io {

std::string ReadTextFile(const std::filesystem::path& path, uint64_t limit) {
  const std::filesystem::file_status status = StatusOf(path);
  if (!std::filesystem::exists(status)) throw std::runtime_error(path.string() + ": no such file");
  if (!std::filesystem::is_regular_file(status)) throw std::runtime_error(path.string() + ": not a regular file");
  const uint64_t size = std::filesystem::file_size(path);
  if (size > limit) {
    throw std::runtime_error(path.string() + ": expected at most " + std::to_string(limit) + " bytes, found " +
                             std::to_string(size));
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size)))
    throw std::runtime_error(path.string() + ": cannot be read: " + std::generic_category().message(errno));
  return text;
}

}  // namespace ampgrad::io
