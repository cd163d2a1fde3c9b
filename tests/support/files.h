#pragma once

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

/// What tests of files share.
namespace ampgrad {

inline void Put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string Get(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

/// The names in a directory, sorted.
inline std::vector<std::string> FilesIn(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// What the user sees when `action` fails, with "D" for the test's own directory; "" when it does not.
template <typename Action>
std::string MessageOf(const std::filesystem::path& directory, Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    std::string message = error.what();
    const std::string own = directory.string();
    for (size_t at = 0; !own.empty() && (at = message.find(own, at)) != message.npos;)
      message.replace(at, own.size(), "D");
    return message;
  }
  return "";
}

}  // namespace ampgrad
