#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace ampgrad::io {

/// From here on, whoever cuts a mapped file short while its bytes are in use ends this process with one sentence on stderr
/// that names the file and exit code 1, instead of the death by SIGBUS that the system has in store (temporary files then stay
/// behind, as after a kill). Other causes of SIGBUS keep the effect that they had before. For programs, at their start.
void ReportShrunkFiles();

/// A regular file, mapped into memory for reading. A program whose mapped files may be cut short calls `ReportShrunkFiles`.
class MappedFile {
 public:
  /// Throws std::runtime_error when the file cannot be opened or mapped, or is anything but a regular file; a pipe does
  /// not keep it waiting.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// The path, for messages.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  /// The first byte; null when there is none.
  const char* data() const { return data_; }

  /// Throws std::runtime_error when the file is shorter than it was when it was opened. To be called before bytes are
  /// taken from it: those that are gone from its last page would read as zeros.
  void RequireWhole() const;

 private:
  std::string name_;
  int fd_ = -1;
  uint64_t size_ = 0;
  const char* data_ = nullptr;
};

}  // namespace ampgrad::io
