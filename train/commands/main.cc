// The command line: finds the command, parses its options, turns exceptions into one sentence and an exit code.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/io/mapped_file.h"
#include "tensor/thread_pool.h"
#include "train/commands/commands.h"

namespace {

using ampgrad::train::Command;
using ampgrad::train::OptionSpec;

// Options that every command has.
const std::vector<OptionSpec> kCommonOptions = {
    {"threads", "N", "0", "threads to use; 0 means all cores"},
    {"help", nullptr, "", "show this help"},
};

std::vector<Command> Commands() {
  using namespace ampgrad::train;
  return {DemoCommand(),  PretrainCommand(), SftCommand(),   SweepCommand(), GenerateCommand(),
          CheckCommand(), TraceCommand(),    AuditCommand(), SynthCommand()};
}

void PrintUsage(std::FILE* out) {
  std::fputs(
      "Usage: ampgrad COMMAND [OPTIONS]\n\nAmplitude-only fine-tuning of transformers, from the gradients up.\n\n",
      out);
  for (const Command& command : Commands()) std::fprintf(out, "  %-9s %s\n", command.name, command.summary);
  std::fputs("\n'ampgrad COMMAND --help' describes a command's options.\n", out);
}

// Replaces this process by the command's program, with the same arguments.
[[noreturn]] void RunSibling(const Command& command, const std::vector<std::string>& words) {
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string program = (self.parent_path() / command.program).string();
  std::vector<char*> arguments = {const_cast<char*>(program.c_str()), const_cast<char*>(command.name)};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  throw std::runtime_error(program + " cannot be run: build the target " + command.program);
}

int RunCommand(Command command, const std::vector<std::string>& words) {
  if (command.program) RunSibling(command, words);
  command.options.insert(command.options.end(), kCommonOptions.begin(), kCommonOptions.end());
  for (const std::string& word : words) {
    if (word != "--help") continue;
    std::printf("Usage: ampgrad %s [OPTIONS]\n\n%s\n\n%s", command.name, command.summary,
                ampgrad::train::DescribeOptions(command.options).c_str());
    return 0;
  }
  const ampgrad::train::Options options(command.options, words);
  ampgrad::SetNumThreads(static_cast<int>(options.Integer("threads", 0, 1024)));
  return command.run(options);
}

int Dispatch(const std::vector<std::string>& words) {
  if (words.empty()) {
    PrintUsage(stderr);
    return 2;
  }
  if (words[0] == "--help" || words[0] == "help") {
    PrintUsage(stdout);
    return 0;
  }
  for (const Command& command : Commands()) {
    if (words[0] != command.name) continue;
    const std::string where = std::string("ampgrad ") + command.name;
    try {
      return RunCommand(command, {words.begin() + 1, words.end()});
    } catch (const ampgrad::train::UsageError& error) {
      std::fprintf(stderr, "%s: %s (see '%s --help')\n", where.c_str(), error.what(), where.c_str());
      return 2;
    } catch (const std::bad_alloc&) {
      std::fprintf(stderr, "%s: out of memory\n", where.c_str());
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", where.c_str(), error.what());
    }
    return 1;
  }
  std::fprintf(stderr, "ampgrad: unknown command '%s' (see 'ampgrad --help')\n", words[0].c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  ampgrad::KeepFreedMemory();
  ampgrad::io::ReportShrunkFiles();
  // The number of a closed standard stream must not go to a file of ours, which would then receive the output.
  int fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= 2) fd = open("/dev/null", O_RDONLY);
  close(fd);
  const int code = Dispatch({argv + 1, argv + argc});
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  std::fputs("ampgrad: the standard output cannot be written\n", stderr);
  return code == 0 ? 1 : code;
}
