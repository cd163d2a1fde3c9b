#include "tests/fuzz/commands/limited_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "tests/support/files.h"

namespace ampgrad::fuzz {
namespace {

// In the child, after fork: only calls that are safe there.
[[noreturn]] void Execute(char* const argv[], const char* directory, const char* out, const char* err) {
  const rlim_t most_bytes = 64 << 20;  // of any file that the program writes
  const rlimit file_size = {most_bytes, most_bytes}, no_core = {0, 0};
  setrlimit(RLIMIT_FSIZE, &file_size);
  setrlimit(RLIMIT_CORE, &no_core);
  const int in_fd = open("/dev/null", O_RDONLY);
  const int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
            err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in_fd < 0 || out_fd < 0 || err_fd < 0 || chdir(directory) != 0) _exit(126);
  dup2(in_fd, 0);
  dup2(out_fd, 1);
  dup2(err_fd, 2);
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

LimitedRun RunLimited(const std::vector<std::string>& words, const std::string& directory, int seconds) {
  const std::string out = directory + ".out", err = directory + ".err";
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) Execute(argv.data(), directory.c_str(), out.c_str(), err.c_str());
  LimitedRun run{};
  int status = 0;
  rusage usage{};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (wait4(pid, &status, run.hung ? 0 : WNOHANG, &usage) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      run.hung = true;
      kill(pid, SIGKILL);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  run.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  run.peak_mb = static_cast<double>(usage.ru_maxrss) / 1024;
  if (run.code == 126 || run.code == 127) throw std::runtime_error("cannot run " + words[0]);
  run.out = Get(out);
  run.err = Get(err);
  return run;
}

}  // namespace ampgrad::fuzz
