#include "train/commands/program.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "tensor/allocator.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/printable.h"
#include "train/commands/options/options.h"
#include "train/interrupt.h"

namespace ampgrad::train {
namespace {

int error_output = STDERR_FILENO;
bool several_ranks = false;

// The two functions below run in a signal handler or when memory is gone, so they call only what is safe there.

[[noreturn]] void EndAtOnce(std::string_view sentence, int code) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, sentence.data(), sentence.size());
  _exit(code);
}

void OnStopSignal(int number) {
  if (several_ranks) ProgramRanks().NoteStop();
  // What ends several ranks signals each of them, and one rank's end may be the reason: that one says so.
  if (NoteSignal(number)) return;
  io::RemoveTemporaryFiles();
  EndAtOnce(several_ranks ? "" : "ampgrad: interrupted\n", 128 + number);
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

// Prints the error, unless another rank does, and ends the other ranks where they did not meet it.
int Fail(const std::string& name, const std::string& message, int code) {
  Ranks& ranks = ProgramRanks();
  const Ranks::Failure failure = ranks.Fail();
  if (failure == Ranks::Failure::kShared) {
    if (ranks.IsFirst()) PrintError(name, message);
    return code;
  }
  if (failure == Ranks::Failure::kOwn) {
    PrintError(name, "rank " + std::to_string(ranks.rank()) + ": " + message);
  }
  ranks.Abort(code);
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

void JoinRanks(std::unique_ptr<Ranks> ranks) {
  if (!ranks) return;
  UseRanks(std::move(ranks));
  several_ranks = true;
  if (ProgramRanks().IsFirst()) return;
  error_output = dup(STDERR_FILENO);
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  close(null);
}

void PrintError(const std::string& name, const std::string& message) {
  constexpr size_t kLongest = 2000;
  dprintf(error_output, "%s: %s\n", name.c_str(), io::Shortened(io::Printable(message), kLongest).c_str());
}

int RunProtected(const std::string& name, const std::function<int()>& command) {
  const auto failed = [&](const std::string& message) {
    return Fail(name, message, NotedSignal() != 0 ? 128 + NotedSignal() : 1);
  };
  try {
    const int code = command();
    if (NotedSignal() == 0) return code;
    if (ProgramRanks().IsFirst()) PrintError(name, "interrupted, after its work was done and saved");
    return 128 + NotedSignal();
  } catch (const UsageError& error) {
    return Fail(name, std::string(error.what()) + " (see '" + name + " --help')", 2);
  } catch (const std::bad_alloc&) {
    return failed("out of memory");
  } catch (const std::filesystem::filesystem_error& error) {
    return failed(error.path1().string() + ": " + error.code().message());
  } catch (const std::exception& error) {
    return failed(error.what());
  }
}

int FinishOutput(int code) {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  PrintError("ampgrad", "the standard output cannot be written");
  return code == 0 ? 1 : code;
}

}  // namespace ampgrad::train
