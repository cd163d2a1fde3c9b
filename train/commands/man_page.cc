#include "train/commands/man_page.h"

#include <cctype>
#include <sstream>

#include "tensor/io/utf8.h"
#include "train/commands/help.h"
#include "train/commands/help_texts.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

// Text as roff reads it: what roff would take for a hyphen, a quotation mark or an accent stands for itself.
std::string Roff(const std::string& text) {
  std::string roff;
  for (size_t at = 0; at < text.size();) {
    const io::Utf8Character character = io::CharacterAt(text, at);
    const char c = text[at];
    switch (c) {
      case '\\':
        roff += "\\e";
        break;
      case '-':
        roff += "\\-";
        break;
      case '\'':
        roff += "\\(aq";
        break;
      case '"':
        roff += "\\(dq";
        break;
      case '`':
        roff += "\\(ga";
        break;
      case '^':
        roff += "\\(ha";
        break;
      case '~':
        roff += "\\(ti";
        break;
      default:
        if (character.size == 1) {
          roff += c;
        } else {
          roff += report::Format("\\[u%04X]", static_cast<unsigned>(character.code_point));
        }
    }
    at += character.size;
  }
  // A line must not begin like a request.
  return !roff.empty() && roff[0] == '.' ? "\\&" + roff : roff;
}

std::string Bold(const std::string& text) { return "\\fB" + Roff(text) + "\\fR"; }
std::string Italic(const std::string& text) { return "\\fI" + Roff(text) + "\\fR"; }

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// "Fine-tune a model." as the NAME of a page has it: "fine-tune a model".
std::string AsPhrase(std::string sentence) {
  if (sentence.ends_with(".")) sentence.pop_back();
  sentence[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(sentence[0])));
  return sentence;
}

std::string Head(const std::string& name, const std::string& summary, const std::string& version) {
  return ".TH " + Roff(Upper(name)) + " 1 \"\" \"ampgrad " + Roff(version) +
         "\" \"User Commands\"\n.ad l\n.nh\n.SH NAME\n" + Roff(name) + " \\- " + Roff(AsPhrase(summary)) + "\n";
}

// Lines that stand as they are.
std::string Verbatim(const std::string& lines) { return ".PP\n.RS 4\n.nf\n" + lines + ".fi\n.RE\n"; }

// Paragraphs of a topic, whose lines that begin with spaces stand as they are.
std::string Paragraphs(const std::string& text) {
  std::istringstream stream(text);
  std::string roff, verbatim, line;
  const auto flush = [&] {
    if (!verbatim.empty()) roff += Verbatim(verbatim);
    verbatim.clear();
  };
  bool begins = true;
  while (std::getline(stream, line)) {
    if (line.starts_with("    ")) {
      verbatim += Roff(line.substr(4)) + "\n";
      continue;
    }
    flush();
    if (!line.empty()) roff += (begins ? ".PP\n" : "") + Roff(line) + "\n";
    begins = line.empty();
  }
  flush();
  return roff;
}

std::string OptionEntry(const OptionSpec& spec) {
  std::string entry = ".TP\n" + Bold(std::string("--") + spec.name);
  if (spec.value) entry += " " + Italic(spec.value);
  entry += "\n" + Roff(spec.help) + ".";
  if (!spec.fallback) entry += " It must be given.";
  if (spec.fallback && *spec.fallback) entry += " Default: " + Roff(spec.fallback) + ".";
  return entry + "\n";
}

std::string ExampleSection(const std::vector<CommandExample>& examples) {
  std::string roff = examples.empty() ? "" : ".SH EXAMPLES\n";
  for (const CommandExample& example : examples)
    roff += ".PP\n" + Roff(example.meaning) + "\n" + Verbatim(Roff(example.line) + "\n");
  return roff;
}

// The command with all that must be given.
std::string Synopsis(const Command& command) {
  std::string roff = ".SH SYNOPSIS\n" + Bold(std::string("ampgrad ") + command.name);
  for (const OptionSpec& spec : command.options) {
    if (!spec.fallback) roff += " " + Bold(std::string("--") + spec.name) + " " + Italic(spec.value);
  }
  for (const OptionSpec& spec : command.options) {
    if (spec.takes_words && spec.fallback) roff += " [" + Italic(spec.value) + "]";
  }
  return roff + " [" + Italic("OPTIONS") + "]\n";
}

}  // namespace

std::string ProgramPage(const std::vector<Command>& commands, const std::string& version) {
  std::string page = Head("ampgrad", "amplitude-only fine-tuning of transformers, from the gradients up", version) +
                     ".SH SYNOPSIS\n" + Bold("ampgrad") + " " + Italic("COMMAND") + " [" + Italic("OPTIONS") +
                     "]\n.br\n" + Bold("ampgrad help") + " [" + Italic("COMMAND") + "|" + Italic("TOPIC") +
                     "]\n.SH DESCRIPTION\n" + Paragraphs(Topics().front().text) + ".SH COMMANDS\n";
  for (const Command& command : commands) {
    page += ".TP\n" + Bold(command.name) + "\n" + Roff(command.summary) + " See " +
            Bold(std::string("ampgrad-") + command.name) + "(1).\n";
  }
  for (size_t i = 1; i < Topics().size(); ++i) {
    page += ".SH " + Roff(Upper(Topics()[i].name)) + "\n" + Paragraphs(Topics()[i].text);
  }
  return page;
}

std::string CommandPage(const Command& command, const std::string& version) {
  std::string page = Head(std::string("ampgrad-") + command.name, command.summary, version) + Synopsis(command) +
                     ".SH DESCRIPTION\n" + Roff(command.summary) + "\n.SH OPTIONS\n";
  for (const OptionSpec& spec : AllOptions(command)) page += OptionEntry(spec);
  return page + ExampleSection(ExamplesOf(command.name)) + ".SH SEE ALSO\n" + Bold("ampgrad") +
         "(1), which describes models, data, methods, runs and exit codes.\n";
}

}  // namespace ampgrad::train
