#include "train/commands/program.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <string_view>

#include "tensor/allocator.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/printable.h"
#include "train/commands/options/options.h"
#include "train/interrupt.h"

namespace ampgrad::train {
namespace {

// The two functions below run in a signal handler or when memory is gone, so they call only what is safe there.

[[noreturn]] void EndAtOnce(std::string_view sentence, int code) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, sentence.data(), sentence.size());
  _exit(code);
}

void OnStopSignal(int number) {
  if (!NoteSignal(number)) EndAtOnce("ampgrad: interrupted\n", 128 + number);
}

// A destructor that needs memory when there is none ends here; the JSON library has such ones.
[[noreturn]] void OnTerminate() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    EndAtOnce("ampgrad: out of memory\n", 1);
  } catch (...) {
  }
  std::abort();
}

void HandleSignals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {}, before = {};
    action.sa_handler = OnStopSignal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    // nohup and shells that start a program in the background have it ignore some of them.
    const bool known = sigaction(number, nullptr, &before) == 0;
    if (known && before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
  // Writing beyond a limit, or to a pipe that nobody reads, fails with an error that is reported in a sentence.
  // Training goes on when nobody reads its output.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace

void PrepareProgram() {
  KeepFreedMemory();
  io::ReportShrunkFiles();
  std::set_terminate(OnTerminate);
  HandleSignals();
  // The number of a closed standard stream must not go to a file of ours, which would then receive the output.
  int fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= 2) fd = open("/dev/null", O_RDONLY);
  close(fd);
  // Lines appear as they are printed, through a pipe as on a terminal.
  setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
}

void PrintError(const std::string& name, const std::string& message) {
  constexpr size_t kLongest = 2000;
  std::fprintf(stderr, "%s: %s\n", name.c_str(), io::Shortened(io::Printable(message), kLongest).c_str());
}

int RunProtected(const std::string& name, const std::function<int()>& command) {
  int code = 1;
  try {
    code = command();
    if (NotedSignal() == 0) return code;
    PrintError(name, "interrupted, after its work was done and saved");
  } catch (const UsageError& error) {
    PrintError(name, std::string(error.what()) + " (see '" + name + " --help')");
    return 2;
  } catch (const std::bad_alloc&) {
    PrintError(name, "out of memory");
  } catch (const std::filesystem::filesystem_error& error) {
    PrintError(name, error.path1().string() + ": " + error.code().message());
  } catch (const std::exception& error) {
    PrintError(name, error.what());
  }
  return NotedSignal() != 0 ? 128 + NotedSignal() : 1;
}

int FinishOutput(int code) {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  PrintError("ampgrad", "the standard output cannot be written");
  return code == 0 ? 1 : code;
}

}  // namespace ampgrad::train
