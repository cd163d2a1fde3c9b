#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace ampgrad::io {

/// A file that appears under its name only when it is complete: a crash, a full disk or an exception before `Commit`
/// leaves the previous file as it was. The bytes are first written to `.ampgrad-<pid>-<n>.tmp` in the same directory,
/// because a rename is atomic only within one file system. A killed process leaves at most this temporary file; a
/// handler of signals removes it with `RemoveTemporaryFiles`.
/// Every error is a std::runtime_error with the path and the system's reason.
class AtomicFile {
 public:
  /// Creates the temporary file, with the rights `mode` less those that the umask takes. Throws also when `target`
  /// exists and is not a regular file.
  explicit AtomicFile(const std::filesystem::path& target, unsigned mode = 0666);
  /// Removes the temporary file unless `Commit` has put it in place.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends `size` bytes.
  void Write(const void* data, size_t size);

  /// Moves the file into place; from then on it survives a power loss. Call it once, after the last `Write`. After an
  /// error the old file is still in place, unless the message says otherwise.
  void Commit();

 private:
  void CreateTemporary(unsigned mode);
  void CloseAll();

  std::filesystem::path target_;
  std::string temporary_;  // within the directory; empty when there is nothing to remove
  int slot_ = -1;          // in the list of RemoveTemporaryFiles; -1 when it is full
  int directory_ = -1;
  int file_ = -1;
};

/// Removes the temporary files of this process, for a signal handler that ends it: it takes no lock and no memory.
void RemoveTemporaryFiles();

/// Throws std::runtime_error unless `target` could be created: its directory, or the nearest ancestor that exists, must
/// be a directory that this process may write to. For a check before long work; it does not replace error handling.
void RequireWritable(const std::filesystem::path& target);

/// Throws std::runtime_error unless a file can be written at `target` now: it must be a regular file or none, in a
/// directory that exists and takes new files. For a check before long work; nothing is left behind.
void RequireFileTarget(const std::filesystem::path& target);

/// Replaces the content of `path` with `bytes`, or leaves it as it was and throws std::runtime_error. `mode` as above.
void WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0666);

}  // namespace ampgrad::io
