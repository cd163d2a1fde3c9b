#pragma once

#include <filesystem>
#include <string>

#include "tensor/stored_tensor.h"

namespace ampgrad::train {

/// Tensors in a mapped file instead of memory: the system writes its pages to disk and drops them when memory is short.
/// The file has no name from the start, so nothing is left of it, however the process ends. In a directory that is
/// itself in memory (tmpfs) nothing is won.
class SpillFile {
 public:
  /// Throws std::runtime_error when the directory takes no file.
  explicit SpillFile(const std::filesystem::path& directory);
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  /// A copy of `x` in the file, bit for bit. It may outlive this object. Throws std::runtime_error when the disk has no
  /// room for it; what was added before is untouched.
  StoredTensor Add(const Tensor& x);
  /// Bytes of the tensors that were added.
  Index bytes() const { return bytes_; }

 private:
  void MapChunk(size_t size);

  std::string name_;
  int fd_ = -1;
  size_t file_size_ = 0;
  std::shared_ptr<char> chunk_;             // the last part of the file, mapped
  size_t chunk_size_ = 0, chunk_used_ = 0;  // in bytes
  Index bytes_ = 0;
};

}  // namespace ampgrad::train
