#include "tensor/io/staged_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tensor/io/atomic_file.h"

namespace ampgrad::io {

namespace fs = std::filesystem;

StagedDirectory::StagedDirectory(const fs::path& target) {
  std::error_code error;
  target_ = fs::weakly_canonical(fs::absolute(target), error);  // "out/", "out/." and links to directories included
  if (error) throw std::runtime_error(target.string() + ": cannot be created: " + error.message());
  if (!target_.has_filename()) target_ = target_.parent_path();
  const bool exists = fs::exists(target_, error);
  if (exists && !(fs::is_directory(target_, error) && fs::is_empty(target_, error))) {
    throw std::runtime_error(target.string() + ": exists already; expected a new or an empty directory");
  }
  RequireWritable(target_);
}

const fs::path& StagedDirectory::path() {
  if (!staging_.empty()) return staging_;
  std::error_code error;
  fs::create_directories(target_.parent_path(), error);
  std::string name = (target_.parent_path() / ("." + target_.filename().string() + ".partial-XXXXXX")).string();
  if (error || mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error(target_.string() + ": cannot be created: " +
                             (error ? error.message() : std::generic_category().message(errno)));
  }
  fs::permissions(name, fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec,
                  fs::perm_options::add, error);  // mkdtemp made it private
  staging_ = name;
  return staging_;
}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;  // nothing more can be done if this fails
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
}

void StagedDirectory::Commit() {
  std::error_code error;
  fs::rename(path(), target_, error);
  if (error) throw std::runtime_error(target_.string() + ": cannot be created: " + error.message());
  staging_.clear();
}

}  // namespace ampgrad::io
