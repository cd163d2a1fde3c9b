#include "train/commands/completion.h"

#include <map>

#include "ct/bases.h"
#include "ct/rows.h"
#include "train/commands/help.h"
#include "train/commands/help_texts.h"
#include "train/methods/method.h"

namespace ampgrad::train {
namespace {

std::string Words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The words that an option takes, where they are the same in every command; "" for any other.
std::string ChoicesOf(const std::string& option) {
  const std::map<std::string, std::string> choices = {
      {"method", Words(MethodNames())},        {"chain", "explicit factored"},  {"start", "exact reconstructed"},
      {"rows", Words(ct::RowsPolicyNames())},  {"save", "adapter merged both"}, {"keep", "last best"},
      {"simd", "amx avx512 avx2 neon scalar"},
  };
  const auto found = choices.find(option);
  return found == choices.end() ? "" : found->second;
}

// What stands for a value in the table says what it is.
enum class Kind { kSwitch, kFile, kDirectory, kWords, kOther };

Kind KindOf(const OptionSpec& spec) {
  if (!spec.value) return Kind::kSwitch;
  const std::string value = spec.value;
  if (value.starts_with("DIR")) return Kind::kDirectory;
  if (value.starts_with("FILE") || value == "PATH") return Kind::kFile;
  return ChoicesOf(spec.name).empty() ? Kind::kOther : Kind::kWords;
}

// The branch of `case $command in`: its options, and which of them take what.
std::string Branch(const Command& command, const std::string& words) {
  std::string options, files, directories, values;
  for (const OptionSpec& spec : AllOptions(command)) {
    const std::string option = std::string(" --") + spec.name;
    options += option;
    const Kind kind = KindOf(spec);
    if (kind == Kind::kFile) files += option;
    if (kind == Kind::kDirectory) directories += option;
    if (kind == Kind::kOther) values += option;
    if (spec.takes_words && kind == Kind::kDirectory) directories += " words";
  }
  const auto set = [](const char* name, const std::string& list) {
    return list.empty() ? "" : std::string("      ") + name + "=\"" + list + " \"\n";
  };
  return std::string("    ") + command.name + ")\n" + set("options", options) + set("files", files) +
         set("directories", directories) + set("values", values) + set("words", words) + "      ;;\n";
}

// The branches of `case $option in` for options that take one of a few words.
std::string ChoiceBranches(const std::vector<Command>& commands) {
  std::map<std::string, std::string> branches;
  for (const Command& command : commands) {
    for (const OptionSpec& spec : AllOptions(command)) {
      if (KindOf(spec) == Kind::kWords) branches[spec.name] = ChoicesOf(spec.name);
    }
  }
  std::string text;
  for (const auto& [name, words] : branches) text += "    --" + name + ") choices=\"" + words + "\" ;;\n";
  return text;
}

constexpr const char* kReply = R"sh(
  # --option VALUE and --option=VALUE: bash cuts the line at '='.
  local option=$prev
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case "$option" in
)sh";

constexpr const char* kEnd = R"sh(  esac
  if [ -n "$choices" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
  elif [[ "$files" == *" $option "* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  elif [[ "$directories" == *" $option "* || ("$directories" == *" words "* && "$cur" != -*) ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
  elif [[ "$values" != *" $option "* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options $words" -- "$cur")
  fi
}
complete -F _ampgrad ampgrad
)sh";

}  // namespace

std::string BashCompletion(const std::vector<Command>& commands) {
  std::string names, topics, branches;
  for (const Command& command : commands) names += std::string(command.name) + " ";
  for (const Topic& topic : Topics()) topics += std::string(topic.name) + " ";
  for (const Command& command : commands) {
    branches += Branch(command, command.name == std::string("help") ? names + topics : "");
  }
  return "# Completion of ampgrad for bash, as 'ampgrad help --completion' prints it.\n_ampgrad() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "  local options= files= directories= values= words= choices=\n  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    mapfile -t COMPREPLY < <(compgen -W \"" +
         names + "--help --version\" -- \"$cur\")\n    return\n  fi\n  case \"${COMP_WORDS[1]}\" in\n" + branches +
         "  esac\n" + (kReply + 1) + ChoiceBranches(commands) + kEnd;
}

}  // namespace ampgrad::train
