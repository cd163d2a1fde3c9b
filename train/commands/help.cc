#include "train/commands/help.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "train/commands/completion.h"
#include "train/commands/help_texts.h"
#include "train/commands/man_page.h"
#include "train/commands/options/common_options.h"
#include "train/report/columns.h"

namespace ampgrad::train {
namespace {

// The command of that name; null when there is none.
const Command* FindCommand(const std::vector<Command>& commands, const std::string& name) {
  const auto found = std::ranges::find_if(commands, [&](const Command& command) { return name == command.name; });
  return found == commands.end() ? nullptr : &*found;
}

// What is known under `name`, a command's or a topic's.
std::string DescribeNamed(const std::vector<Command>& commands, const std::string& name) {
  if (const Command* command = FindCommand(commands, name)) return DescribeCommand(*command);
  std::string known;
  for (const Topic& topic : Topics()) {
    if (name == topic.name) return topic.text;
    known += (known.empty() ? "" : ", ") + std::string(topic.name);
  }
  throw UsageError("expected a command or a topic, of " + known + ", found '" + name + "'");
}

std::string ManPage(const std::vector<Command>& commands, const std::string& version, const std::string& name) {
  if (name.empty()) return ProgramPage(commands, version);
  if (const Command* command = FindCommand(commands, name)) return CommandPage(*command, version);
  throw UsageError("expected the name of a command beside --man, found '" + name + "'");
}

// The files of an installation, as they lie below share/.
void WriteFiles(const std::vector<Command>& commands, const std::string& version, const std::filesystem::path& share) {
  const std::filesystem::path man = share / "man/man1", completions = share / "bash-completion/completions";
  std::filesystem::create_directories(man);
  std::filesystem::create_directories(completions);
  io::WriteFileAtomically(man / "ampgrad.1", ProgramPage(commands, version));
  for (const Command& command : commands) {
    io::WriteFileAtomically(man / (std::string("ampgrad-") + command.name + ".1"), CommandPage(command, version));
  }
  io::WriteFileAtomically(completions / "ampgrad", BashCompletion(commands));
}

}  // namespace

std::vector<OptionSpec> AllOptions(const Command& command) { return Join({command.options, CommonOptionSpecs()}); }

std::string DescribeCommand(const Command& command) {
  std::string text = std::string("Usage: ampgrad ") + command.name + " [OPTIONS]\n\n" + command.summary + "\n\n" +
                     DescribeOptions(AllOptions(command));
  const std::vector<CommandExample> examples = ExamplesOf(command.name);
  if (!examples.empty()) text += "\nExamples:\n";
  for (const CommandExample& example : examples) {
    text += std::string("  # ") + example.meaning + "\n  " + example.line + "\n";
  }
  return text;
}

std::string DescribeProgram(const std::vector<Command>& commands) {
  std::string text =
      "Usage: ampgrad COMMAND [OPTIONS]\n\nAmplitude-only fine-tuning of transformers, from the gradients up.\n\n";
  for (const Command& command : commands) text += "  " + report::Left(command.name, 9) + " " + command.summary + "\n";
  text += "\nTopics:\n";
  for (const Topic& topic : Topics()) text += "  " + report::Left(topic.name, 11) + " " + topic.summary + "\n";
  return text +
         "\n'ampgrad COMMAND --help' describes a command's options, 'ampgrad help TOPIC' a topic, and 'man ampgrad'\n"
         "all of it.\n";
}

int Help(const std::vector<Command>& commands, const std::string& version, const Options& options) {
  const std::vector<std::string> names = options.Strings("about");
  const bool man = options.Has("man"), completion = options.Has("completion"), write = options.Has("write");
  if (names.size() > 1) throw UsageError("expected one command or topic, found '" + names[1] + "' too");
  if (man + completion + write > 1 || (!names.empty() && (completion || write))) {
    throw UsageError("expected one of a topic, --man, --completion and --write");
  }
  const std::string name = names.empty() ? "" : names[0];
  if (write) {
    WriteFiles(commands, version, options.String("write"));
    return 0;
  }
  const std::string text = man            ? ManPage(commands, version, name)
                           : completion   ? BashCompletion(commands)
                           : name.empty() ? DescribeProgram(commands)
                                          : DescribeNamed(commands, name);
  std::fputs(text.c_str(), stdout);
  return 0;
}

Command HelpCommand() {
  return {"help",
          "Describe a command or a topic; print manual pages and the completion of bash.",
          {{"about", "NAME", "", "a command or a topic, which may stand without the option, too", true},
           {"man", nullptr, "", "print the manual page of the program, or of the command"},
           {"completion", nullptr, "", "print the completion of bash"},
           {"write", "DIR", "", "write all manual pages and the completion, as they lie below share/"}},
          nullptr};
}

}  // namespace ampgrad::train
