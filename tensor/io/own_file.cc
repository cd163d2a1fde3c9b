#include "tensor/io/own_file.h"

#include <algorithm>
#include <stdexcept>

namespace ampgrad::io {

namespace fs = std::filesystem;

namespace {

fs::file_status Known(const fs::file_status& status, const fs::path& path, const std::error_code& error) {
  if (status.type() == fs::file_type::none) throw std::runtime_error(path.string() + ": " + error.message());
  return status;
}

}  // namespace

fs::file_status StatusOf(const fs::path& path) {
  std::error_code error;
  return Known(fs::status(path, error), path, error);
}

bool IsThere(const fs::path& path) {
  std::error_code error;
  return fs::exists(Known(fs::symlink_status(path, error), path, error));
}

fs::path OwnFile(const fs::path& directory, const std::string& name) {
  const fs::path file = directory / name;
  std::error_code error;
  const fs::path target = fs::canonical(file, error);
  if (error) return file;
  const fs::path home = fs::canonical(directory), snapshots = home.parent_path();
  if (std::mismatch(home.begin(), home.end(), target.begin(), target.end()).first == home.end()) return file;
  if (snapshots.filename() == "snapshots" && target.parent_path() == snapshots.parent_path() / "blobs") return file;
  throw std::runtime_error(file.string() + ": expected a file in this directory, found a link to " + target.string());
}

}  // namespace ampgrad::io
