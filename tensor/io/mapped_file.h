#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace ampgrad::io {

/// After this call, if a mapped file is cut short while its bytes are in use, the process prints one sentence on stderr
/// that names the file and exits with code 1, instead of dying from SIGBUS. Temporary files stay behind, as after a
/// kill. Other causes of SIGBUS keep their previous effect. Programs call this at their start.
void ReportShrunkFiles();

/// Throws std::runtime_error when a file that is mapped now has changed since it was opened: its size, or the time of
/// its last change. Call it before saving what was computed from such files.
void RequireUnchangedFiles();

/// A regular file, mapped into memory for reading. A program whose files may be cut short calls `ReportShrunkFiles`.
class MappedFile {
 public:
  /// Throws std::runtime_error when the file cannot be opened or mapped, or is not a regular file. It does not wait for
  /// the writer of a pipe.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// The path, for messages.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  /// The first byte; null when there is none.
  const char* data() const { return data_; }

  /// Throws std::runtime_error when the file is shorter than when it was opened. Call it before reading bytes: bytes
  /// that are missing from the last page would read as zeros.
  void RequireWhole() const;

 private:
  std::string name_;
  int fd_ = -1;
  uint64_t size_ = 0;
  const char* data_ = nullptr;
};

}  // namespace ampgrad::io
