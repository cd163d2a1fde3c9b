#include "tensor/io/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <stdexcept>

namespace ampgrad::io {
namespace {

// A mapping as the signal handler sees it. Nodes are reused but never freed, so that the handler may walk the list at
// any moment. A node whose `begin` is null is free.
struct Mapping {
  std::atomic<const char*> begin{nullptr};
  uint64_t size = 0;
  struct timespec changed = {};
  int fd = -1;
  std::string name;
  std::string shrank, unreadable;  // the two sentences, made in advance: a handler must not allocate
  Mapping* next = nullptr;
};

std::atomic<Mapping*> first_mapping{nullptr};
std::mutex list_mutex;  // guards changes of the list; the handler takes no lock
struct sigaction previous_action;

const Mapping* FindMapping(const void* address) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  for (const Mapping* mapping = first_mapping.load(); mapping != nullptr; mapping = mapping->next) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(mapping->begin.load());
    if (begin != 0 && at >= begin && at - begin < mapping->size) return mapping;
  }
  return nullptr;
}

// Calls only what POSIX lists as safe in a signal handler.
void OnBusError(int signal, siginfo_t* info, void* context) {
  const Mapping* mapping = info->si_code > 0 ? FindMapping(info->si_addr) : nullptr;  // > 0: sent by the kernel
  if (mapping != nullptr) {
    struct stat status;
    const bool whole = fstat(mapping->fd, &status) == 0 && static_cast<uint64_t>(status.st_size) >= mapping->size;
    const std::string& sentence = whole ? mapping->unreadable : mapping->shrank;
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, sentence.data(), sentence.size());
    _exit(1);
  }
  if (previous_action.sa_flags & SA_SIGINFO) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    sigaction(SIGBUS, &previous_action, nullptr);
    raise(signal);  // takes effect on return, when the signal is no longer blocked
  }
}

void Register(const char* begin, const struct stat& status, int fd, const std::string& name) {
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  const std::lock_guard<std::mutex> lock(list_mutex);
  Mapping* mapping = first_mapping.load();
  while (mapping != nullptr && mapping->begin.load() != nullptr) mapping = mapping->next;
  const bool fresh = mapping == nullptr;
  if (fresh) mapping = new Mapping;
  mapping->size = size;
  mapping->changed = status.st_mtim;
  mapping->fd = fd;
  mapping->name = name;
  mapping->shrank = "ampgrad: " + name + ": the file shrank while it was in use: expected " + std::to_string(size) +
                    " bytes, found fewer\n";
  mapping->unreadable = "ampgrad: " + name + ": the file cannot be read from its disk any more\n";
  if (fresh) mapping->next = first_mapping.load();
  mapping->begin.store(begin);
  if (fresh) first_mapping.store(mapping);
}

void Unregister(const char* begin) {
  const std::lock_guard<std::mutex> lock(list_mutex);
  for (Mapping* mapping = first_mapping.load(); mapping != nullptr; mapping = mapping->next) {
    if (mapping->begin.load() == begin) mapping->begin.store(nullptr);
  }
}

std::string KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

}  // namespace

void ReportShrunkFiles() {
  static std::once_flag installed;
  std::call_once(installed, [] {
    struct sigaction action = {};
    action.sa_sigaction = OnBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous_action);
  });
}

void RequireUnchangedFiles() {
  const std::lock_guard<std::mutex> lock(list_mutex);
  for (const Mapping* mapping = first_mapping.load(); mapping != nullptr; mapping = mapping->next) {
    struct stat now;
    if (mapping->begin.load() == nullptr || fstat(mapping->fd, &now) != 0) continue;
    if (static_cast<uint64_t>(now.st_size) == mapping->size && now.st_mtim.tv_sec == mapping->changed.tv_sec &&
        now.st_mtim.tv_nsec == mapping->changed.tv_nsec) {
      continue;
    }
    throw std::runtime_error(mapping->name + ": the file was changed while it was in use, so the result is void");
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) : name_(path.string()) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  fd_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd_ < 0) throw std::runtime_error(name_ + ": cannot open the file: " + std::strerror(errno));
  struct stat status;
  const bool known = fstat(fd_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    close(fd_);
    const std::string kind = known ? KindOf(status.st_mode) : "something else";
    throw std::runtime_error(name_ + ": expected a regular file, found " + kind);
  }
  size_ = static_cast<uint64_t>(status.st_size);
  if (size_ == 0) return;  // cannot be mapped
  void* const address = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, 0);
  if (address == MAP_FAILED) {
    const int reason = errno;
    close(fd_);
    throw std::runtime_error(name_ + ": cannot map the file into memory: " + std::strerror(reason));
  }
  data_ = static_cast<const char*>(address);
  Register(data_, status, fd_, name_);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    Unregister(data_);
    munmap(const_cast<char*>(data_), size_);
  }
  close(fd_);
}

void MappedFile::RequireWhole() const {
  struct stat status;
  if (fstat(fd_, &status) != 0) throw std::runtime_error(name_ + ": cannot read: " + std::strerror(errno));
  if (static_cast<uint64_t>(status.st_size) >= size_) return;
  throw std::runtime_error(name_ + ": the file shrank while it was read: expected " + std::to_string(size_) +
                           " bytes, found " + std::to_string(status.st_size));
}

}  // namespace ampgrad::io
