#include "tensor/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace ampgrad::io {
namespace {

// Reads errno, so it must be called directly after the call that failed.
[[noreturn]] void FailWithErrno(const std::filesystem::path& path, const char* action) {
  const char* reason = std::strerror(errno);
  throw std::runtime_error(path.string() + ": cannot " + action + ": " + reason);
}

// Temporary files that exist, each by its directory and the place of its name. A file beyond these is not removed by a
// signal handler.
struct Temporary {
  std::atomic<int> directory{-1};  // -1: free
  char name[64];
};
Temporary temporaries[16];

// Lists a file and returns its slot, or -1 when all are taken.
int List(int directory, const std::string& name) {
  static std::mutex one_at_a_time;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  for (int slot = 0; slot < static_cast<int>(std::size(temporaries)); ++slot) {
    Temporary& temporary = temporaries[slot];
    if (temporary.directory >= 0 || name.size() >= sizeof(temporary.name)) continue;
    std::memcpy(temporary.name, name.c_str(), name.size() + 1);
    temporary.directory = directory;
    return slot;
  }
  return -1;
}

void Unlist(int& slot) {
  if (slot >= 0) temporaries[std::exchange(slot, -1)].directory = -1;
}

int SyncRetrying(int fd) {
  int result;
  do {
    result = fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target, unsigned mode) : target_(target) {
  // A rename would replace a device such as /dev/null with a plain file.
  struct stat status;
  if (stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw std::runtime_error(target_.string() +
                             ": cannot write here: expected a regular file or none, found something else");
  }
  // The directory is opened here and stays open. After the rename only the sync itself can fail, and the temporary file
  // and the target stay in one directory even if it is moved meanwhile.
  const std::filesystem::path parent = target_.has_parent_path() ? target_.parent_path() : ".";
  directory_ = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_ < 0) FailWithErrno(target_, "open its directory");
  try {
    CreateTemporary(mode);
  } catch (...) {
    CloseAll();
    throw;
  }
}

AtomicFile::~AtomicFile() {
  Unlist(slot_);
  if (!temporary_.empty()) unlinkat(directory_, temporary_.c_str(), 0);
  CloseAll();
}

void AtomicFile::CreateTemporary(unsigned mode) {
  static std::atomic<uint64_t> counter{0};
  // A name can be taken only by the orphan of a killed process that had the same process id.
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts && file_ < 0; ++attempt) {
    temporary_ = ".ampgrad-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp";
    slot_ = List(directory_, temporary_);  // first, so that no signal finds a file that is not listed
    file_ = openat(directory_, temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file_ >= 0) return;
    const int error = errno;
    Unlist(slot_);
    errno = error;
    if (errno != EEXIST) break;
  }
  temporary_.clear();
  FailWithErrno(target_, "create a temporary file beside it");
}

void AtomicFile::Write(const void* data, size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(file_, next, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) FailWithErrno(target_, "write");
    next += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::Commit() {
  // Without this sync a power loss could leave a file with missing bytes in place. A failure is final: the kernel may
  // have dropped the pages that it could not write, and a second call would then report success.
  if (SyncRetrying(file_) != 0) FailWithErrno(target_, "bring the new content to disk");
  // The descriptor is gone even when close fails, so it is never closed twice.
  if (close(std::exchange(file_, -1)) != 0) FailWithErrno(target_, "close the new content");
  if (renameat(directory_, temporary_.c_str(), directory_, target_.filename().c_str()) != 0) {
    FailWithErrno(target_, "move the new content into place");
  }
  temporary_.clear();
  Unlist(slot_);
  // The directory stores the rename. Some network file systems cannot sync a directory and return EINVAL.
  if (SyncRetrying(directory_) != 0 && errno != EINVAL) {
    FailWithErrno(target_, "bring its new directory entry to disk, though the new content is in place");
  }
  CloseAll();
}

void AtomicFile::CloseAll() {
  if (file_ >= 0) close(std::exchange(file_, -1));
  if (directory_ >= 0) close(std::exchange(directory_, -1));
}

void RemoveTemporaryFiles() {
  for (const Temporary& temporary : temporaries) {
    const int directory = temporary.directory;
    if (directory >= 0) unlinkat(directory, temporary.name, 0);
  }
}

void RequireWritable(const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::path ancestor = std::filesystem::absolute(target, error).parent_path();
  auto status = std::filesystem::status(ancestor, error);
  while (status.type() == std::filesystem::file_type::not_found && ancestor.has_relative_path()) {
    ancestor = ancestor.parent_path();
    status = std::filesystem::status(ancestor, error);
  }
  if (std::filesystem::is_directory(status) && access(ancestor.c_str(), W_OK | X_OK) == 0) return;
  const int reason = std::filesystem::is_directory(status) || !std::filesystem::exists(status) ? errno : ENOTDIR;
  throw std::runtime_error(target.string() + ": cannot be created: " + std::generic_category().message(reason));
}

void RequireFileTarget(const std::filesystem::path& target) {
  // The temporary file has another name, which says nothing of whether this one is too long.
  struct stat status;
  if (lstat(target.c_str(), &status) != 0 && errno != ENOENT) FailWithErrno(target, "write here");
  if (!target.has_filename()) throw std::runtime_error(target.string() + ": expected the name of a file");
  const AtomicFile trial(target);
}

void WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  AtomicFile file(path, mode);
  file.Write(bytes.data(), bytes.size());
  file.Commit();
}

}  // namespace ampgrad::io
