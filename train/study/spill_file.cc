#include "train/study/spill_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace ampgrad::train {
namespace {

// The file grows and is mapped by this many bytes at least: a process may have some ten thousand mappings only.
constexpr size_t kSpillChunk = size_t{1} << 24;
constexpr size_t kAlignment = 64;  // as Tensor's

size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

SpillFile::SpillFile(const std::filesystem::path& directory) : name_((directory / ".ampgrad-spill-XXXXXX").string()) {
  fd_ = mkostemp(name_.data(), O_CLOEXEC);
  if (fd_ < 0) throw std::runtime_error(name_ + ": cannot create the file: " + std::strerror(errno));
  unlink(name_.c_str());
}

SpillFile::~SpillFile() { close(fd_); }

// Room on the disk is asked for here: where it lacks when a mapped page is written, the process dies from a signal.
void SpillFile::MapChunk(size_t size) {
  int full = EINTR;
  while (full == EINTR) full = posix_fallocate(fd_, static_cast<off_t>(file_size_), static_cast<off_t>(size));
  if (full != 0) {
    throw std::runtime_error(name_ + ": cannot add " + std::to_string(size) +
                             " bytes to the file: " + std::strerror(full));
  }
  void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, static_cast<off_t>(file_size_));
  if (address == MAP_FAILED) {
    throw std::runtime_error(name_ + ": cannot map the file into memory: " + std::strerror(errno));
  }
  chunk_ = std::shared_ptr<char>(static_cast<char*>(address), [size](char* begin) { munmap(begin, size); });
  chunk_size_ = size;
  chunk_used_ = 0;
  file_size_ += size;
}

StoredTensor SpillFile::Add(const Tensor& x) {
  const size_t bytes = static_cast<size_t>(x.size()) * sizeof(Real);
  if (bytes > chunk_size_ - chunk_used_) {
    MapChunk(RoundUp(std::max(bytes, kSpillChunk), static_cast<size_t>(sysconf(_SC_PAGESIZE))));
  }
  char* const to = chunk_.get() + chunk_used_;
  std::memcpy(to, x.data(), bytes);
  chunk_used_ = std::min(chunk_size_, chunk_used_ + RoundUp(bytes, kAlignment));
  bytes_ += static_cast<Index>(bytes);
  return {kRealType, x.shape(), std::shared_ptr<const void>(chunk_, to)};
}

}  // namespace ampgrad::train
