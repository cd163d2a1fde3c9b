#include "tensor/io/staged_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "tensor/io/atomic_file.h"

namespace ampgrad::io {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void Fail(const fs::path& target, const std::string& reason) {
  throw std::runtime_error(target.string() + ": cannot be created: " + reason);
}

std::string Reason(int error) { return std::generic_category().message(error); }

// A rename cannot replace the directory that another file system is mounted on.
bool IsMountPoint(const fs::path& directory) {
#ifdef STATX_ATTR_MOUNT_ROOT
  struct statx status = {};
  if (statx(AT_FDCWD, directory.c_str(), 0, STATX_BASIC_STATS, &status) == 0 &&
      (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)) {
    return status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
  }
#endif
  struct stat own, parent;
  return stat(directory.c_str(), &own) == 0 && stat((directory / "..").c_str(), &parent) == 0 &&
         own.st_dev != parent.st_dev;
}

// What the names of staging directories of a target begin with; six characters follow.
std::string StagingPrefix(const fs::path& target) {
  constexpr size_t kLongestName = 255, kAround = 16;  // ".", ".partial-" and the six
  return "." + target.filename().string().substr(0, kLongestName - kAround) + ".partial-";
}

// Opens and locks a directory; -1 when another process holds it. The lock goes with the process.
int LockDirectory(const fs::path& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

void RemoveOrphans(const fs::path& target) {
  std::error_code error;
  const std::string prefix = StagingPrefix(target);
  for (fs::directory_iterator it(target.parent_path(), error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(prefix) || name.size() != prefix.size() + 6) continue;
    const int lock = LockDirectory(it->path());
    if (lock < 0) continue;
    std::error_code ignored;  // it is in nobody's way
    fs::remove_all(it->path(), ignored);
    close(lock);
  }
}

}  // namespace

void SyncDirectory(const fs::path& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int result = -1;
  do {
    result = fd < 0 ? 0 : fsync(fd);
  } while (result != 0 && errno == EINTR);
  const int reason = errno;
  if (fd >= 0) close(fd);
  if (result == 0 || reason == EINVAL) return;  // some network file systems cannot sync a directory
  throw std::runtime_error(directory.string() +
                           ": cannot bring its new entry to disk, though it is in place: " + Reason(reason));
}

StagedDirectory::StagedDirectory(const fs::path& target) {
  std::error_code error;
  target_ = fs::weakly_canonical(fs::absolute(target), error);  // "out/", "out/." and links to directories included
  if (error) Fail(target, error.message());
  if (!target_.has_filename()) target_ = target_.parent_path();
  const fs::file_status status = fs::symlink_status(target_, error);
  if (status.type() == fs::file_type::none) Fail(target, error.message());  // such as a name that is too long
  if (status.type() == fs::file_type::symlink) Fail(target, "it is a link to nothing");
  if (fs::exists(status) && !(fs::is_directory(status) && fs::is_empty(target_, error))) {
    throw std::runtime_error(target.string() + ": exists already; expected a new or an empty directory");
  }
  if (fs::exists(status) && IsMountPoint(target_)) {
    Fail(target, "a file system is mounted there; expected a directory, such as one within it");
  }
  RequireWritable(target_);
}

void StagedDirectory::Create() {
  std::error_code error;
  const fs::path parent = target_.parent_path();
  fs::path changed = parent;
  changed_ = {parent};
  for (; !fs::exists(changed, error) && changed.has_relative_path(); changed_.push_back(changed)) {
    changed = changed.parent_path();
  }
  fs::create_directories(parent, error);
  if (error) Fail(target_, error.message());
  RemoveOrphans(target_);
  // Between its creation and its lock, another process may take the directory for an orphan.
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts && lock_ < 0; ++attempt) {
    std::string name = (parent / (StagingPrefix(target_) + "XXXXXX")).string();
    if (mkdtemp(name.data()) == nullptr) Fail(target_, Reason(errno));
    lock_ = LockDirectory(name);
    staging_ = name;
  }
  constexpr auto kOthers =
      fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec;
  fs::permissions(staging_, kOthers, fs::perm_options::add, error);  // mkdtemp made it private
}

const fs::path& StagedDirectory::path() {
  if (staging_.empty()) Create();
  return staging_;
}

void StagedDirectory::Release() {
  staging_.clear();
  if (lock_ >= 0) close(std::exchange(lock_, -1));
}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;  // nothing more can be done if this fails
  if (!staging_.empty()) fs::remove_all(staging_, ignored);
  Release();
}

void StagedDirectory::Commit() {
  std::error_code error;
  fs::rename(path(), target_, error);
  if (error) Fail(target_, error.message());
  Release();
  for (const fs::path& directory : changed_) SyncDirectory(directory);
}

// Gives the staging directory a name that is not taken for an orphan's. Returns "" when it holds nothing.
fs::path StagedDirectory::Kept() {
  std::error_code error;
  if (staging_.empty() || fs::is_empty(staging_, error) || error) return {};
  const std::string name = staging_.filename().string();
  const fs::path kept = staging_.parent_path() / (name.substr(1) + "-kept");
  fs::rename(staging_, kept, error);
  const fs::path at = error ? staging_ : kept;
  Release();
  return at;
}

void StagedDirectory::Fill(const std::function<void(const fs::path&)>& write) {
  try {
    write(path());
    Commit();
  } catch (const std::exception& failure) {
    const fs::path kept = Kept();
    if (kept.empty()) throw;
    throw std::runtime_error(std::string(failure.what()) + "; what was written is kept in " + kept.string());
  }
}

}  // namespace ampgrad::io
