// The command line: finds the command, parses its options, and runs it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "train/commands/build_info.h"
#include "train/commands/commands.h"
#include "train/commands/help.h"
#include "train/commands/options/common_options.h"
#include "train/commands/options/files.h"
#include "train/commands/program.h"
#include "train/ranks/mpi.h"
#include "train/ranks/ranks.h"

namespace {

using ampgrad::train::Command;

std::vector<Command> Commands() {
  using namespace ampgrad::train;
  return {DemoCommand(),     PretrainCommand(), SftCommand(),     PlanCommand(),   StudyCommand(), ReportCommand(),
          SweepCommand(),    GenerateCommand(), ChatCommand(),    EvalCommand(),   MergeCommand(), ExportCommand(),
          QuantizeCommand(), TokenizeCommand(), AnalyzeCommand(), CountCommand(),  CheckCommand(), TraceCommand(),
          AuditCommand(),    SynthCommand(),    HelpCommand(),    VersionCommand()};
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

int RunCommand(const Command& command, const std::vector<std::string>& words) {
  ampgrad::train::JoinRanks(ampgrad::train::JoinMpi());
  if (const int ranks = ampgrad::train::ProgramRanks().size(); ranks > 1 && !command.ranks) {
    throw ampgrad::train::UsageError("expected one process, found " + std::to_string(ranks) +
                                     " ranks; pretrain, sft and study run in several");
  }
  if (std::ranges::find(words, "--help") != words.end()) {
    std::fputs(ampgrad::train::DescribeCommand(command).c_str(), stdout);
    return 0;
  }
  if (command.program) RunSibling(command, words);
  const ampgrad::train::Options options(ampgrad::train::AllOptions(command), words);
  ampgrad::train::UseCommonOptions(options, ampgrad::train::ProgramRanks());
  ampgrad::train::CheckFiles(options);
  return command.run ? command.run(options)  // only the help must know all commands
                     : ampgrad::train::Help(Commands(), ampgrad::train::kVersion, options);
}

int Dispatch(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::fputs(ampgrad::train::DescribeProgram(Commands()).c_str(), stderr);
    return 2;
  }
  const std::string name = words[0] == "--version" ? "version" : words[0] == "--help" ? "help" : words[0];
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
  const int code = ampgrad::train::FinishOutput(Dispatch({argv + 1, argv + argc}));
  ampgrad::train::UseRanks(nullptr);
  return code;
}
