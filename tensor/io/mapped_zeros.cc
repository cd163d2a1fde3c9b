#include "tensor/io/mapped_zeros.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace ampgrad::io {

std::shared_ptr<const void> MapZeros(Index bytes) {
  const size_t size = static_cast<size_t>(bytes);
  void* const address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    throw std::runtime_error("cannot map " + std::to_string(bytes) + " bytes of zeros: " + std::strerror(errno));
  }
  return {address, [size](const void* zeros) { munmap(const_cast<void*>(zeros), size); }};
}

}  // namespace ampgrad::io
