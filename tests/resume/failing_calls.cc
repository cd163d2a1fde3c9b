// A library for LD_PRELOAD that lets one system call fail, or kills the process at it: AMPGRAD_FAULT="fail 17" or
// "kill 17" names the seventeenth call of those that change files, "full 17" that the disk is full from there on, in
// the middle of a write. Without a number they are counted alone. At the end of the process their number goes to the
// file AMPGRAD_CALLS, where that is set.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<long> calls{0};

struct Fault {
  char kind[8] = "";
  long number = 0;
};

const Fault& TheFault() {
  static const Fault fault = [] {
    Fault read;
    if (const char* text = getenv("AMPGRAD_FAULT")) sscanf(text, "%7s %ld", read.kind, &read.number);
    return read;
  }();
  return fault;
}

bool Is(const char* kind) { return strcmp(TheFault().kind, kind) == 0; }

// Counts a call. True when it must fail.
bool Fails() {
  const long number = ++calls;
  if (TheFault().number == 0 || number < TheFault().number) return false;
  if (number == TheFault().number && Is("kill")) kill(getpid(), SIGKILL);
  return Is("fail") ? number == TheFault().number : Is("full");
}

template <class Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int Refused(int error) {
  errno = error;
  return -1;
}

__attribute__((destructor)) void TellCalls() {
  const char* file = getenv("AMPGRAD_CALLS");
  if (!file) return;
  if (FILE* out = fopen(file, "w")) {
    fprintf(out, "%ld\n", calls.load());
    fclose(out);
  }
}

bool IsFile(int fd) {
  struct stat status;
  return fd > 2 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  if (!IsFile(fd)) return next(fd, data, size);
  if (!Fails()) return next(fd, data, size);
  if (Is("full") && calls == TheFault().number && size > 1) return next(fd, data, size / 2);
  return Refused(ENOSPC);
}

int fsync(int fd) {
  static const auto next = Next<int (*)(int)>("fsync");
  return Fails() ? Refused(EIO) : next(fd);
}

int ftruncate(int fd, off_t size) {
  static const auto next = Next<int (*)(int, off_t)>("ftruncate");
  return Fails() ? Refused(EIO) : next(fd, size);
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) {
  static const auto next = Next<int (*)(int, const char*, int, const char*)>("renameat");
  return Fails() ? Refused(EIO) : next(from_directory, from, to_directory, to);
}

int rename(const char* from, const char* to) {
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  return Fails() ? Refused(EIO) : next(from, to);
}

int mkdir(const char* path, mode_t mode) {
  static const auto next = Next<int (*)(const char*, mode_t)>("mkdir");
  return Fails() ? Refused(ENOSPC) : next(path, mode);
}

int unlinkat(int directory, const char* path, int flags) {
  static const auto next = Next<int (*)(int, const char*, int)>("unlinkat");
  return Fails() ? Refused(EIO) : next(directory, path, flags);
}

int openat(int directory, const char* path, int flags, ...) {
  static const auto next = Next<int (*)(int, const char*, int, mode_t)>("openat");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT) && Fails()) return Refused(ENOSPC);
  return next(directory, path, flags, mode);
}

int open(const char* path, int flags, ...) {
  static const auto next = Next<int (*)(const char*, int, mode_t)>("open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT) && Fails()) return Refused(ENOSPC);
  return next(path, flags, mode);
}
}
