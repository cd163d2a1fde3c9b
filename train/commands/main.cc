// The command line: finds the command, parses its options, and runs it.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "train/commands/commands.h"
#include "train/commands/options/common_options.h"
#include "train/commands/options/files.h"
#include "train/commands/program.h"

namespace {

using ampgrad::train::Command;
using ampgrad::train::OptionSpec;

std::vector<Command> Commands() {
  using namespace ampgrad::train;
  return {DemoCommand(),   PretrainCommand(), SftCommand(),      StudyCommand(),   ReportCommand(),
          SweepCommand(),  GenerateCommand(), ChatCommand(),     EvalCommand(),    MergeCommand(),
          ExportCommand(), QuantizeCommand(), TokenizeCommand(), AnalyzeCommand(), CountCommand(),
          CheckCommand(),  TraceCommand(),    AuditCommand(),    SynthCommand(),   VersionCommand()};
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
  for (const OptionSpec& spec : ampgrad::train::CommonOptionSpecs()) command.options.push_back(spec);
  for (const std::string& word : words) {
    if (word != "--help") continue;
    std::printf("Usage: ampgrad %s [OPTIONS]\n\n%s\n\n%s", command.name, command.summary,
                ampgrad::train::DescribeOptions(command.options).c_str());
    return 0;
  }
  const ampgrad::train::Options options(command.options, words);
  ampgrad::train::UseCommonOptions(options);
  ampgrad::train::CheckFiles(options);
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
  const std::string name = words[0] == "--version" ? "version" : words[0];
  for (const Command& command : Commands()) {
    if (name != command.name) continue;
    return ampgrad::train::RunProtected(std::string("ampgrad ") + command.name, [&] {
      return RunCommand(command, {words.begin() + 1, words.end()});
    });
  }
  ampgrad::train::PrintError("ampgrad", "unknown command '" + words[0] + "' (see 'ampgrad --help')");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  ampgrad::train::PrepareProgram();
  return ampgrad::train::FinishOutput(Dispatch({argv + 1, argv + argc}));
}
