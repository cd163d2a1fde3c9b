#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"
#include "train/report/columns.h"

/// What the program says of itself: help, topics, manual pages, and the completion of bash. All of it comes from the
/// tables of the commands, and is held against what `ampgrad COMMAND --help` lists.
namespace ampgrad::train {
namespace {

std::vector<std::string> Matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.push_back((*it)[1]);
  return found;
}

class CommandHelp : public CommandLine {
 protected:
  void SetUp() override { usage_ = ExpectRuns({"help"}).out; }

  std::vector<std::string> Commands() const {
    return Matches(usage_.substr(0, usage_.find("\nTopics:")), "\n  (\\w+) ");
  }
  std::vector<std::string> Topics() const { return Matches(usage_.substr(usage_.find("\nTopics:")), "\n  ([a-z-]+) "); }

  /// The options of a command, "--threads" and the like, in the order of its help.
  std::vector<std::string> OptionsOf(const std::string& command) const {
    return Matches("\n" + ExpectRuns({command, "--help"}).out, "\n  (--[a-z0-9-]+) ");
  }

  /// What bash offers for the last of `words`, in the directory of the test.
  std::vector<std::string> Completions(const Words& words) const {
    std::string line = "source '" + Path("completion") + "'; cd '" + dir().string() + "'; COMP_WORDS=(ampgrad";
    for (const std::string& word : words) line += " '" + word + "'";
    line += "); COMP_CWORD=" + std::to_string(words.size()) + "; _ampgrad; printf '%s\\n' \"${COMPREPLY[@]}\"";
    const std::string out = Path("offered"), script = Path("script");
    Put(script, line);
    EXPECT_EQ(std::system(("bash '" + script + "' > '" + out + "' 2>&1").c_str()), 0);
    std::vector<std::string> offered = Lines(Get(out));
    if (offered == std::vector<std::string>{""}) offered.clear();
    return offered;
  }

  std::string usage_;
};

TEST_F(CommandHelp, HelpOfACommandIsThatOfItsOption) {
  ASSERT_GE(Commands().size(), 19u) << usage_;
  EXPECT_EQ(ExpectRuns({"--help"}).out, usage_);
  for (const std::string& command : Commands()) {
    const std::string out = ExpectRuns({command, "--help"}).out;
    EXPECT_EQ(out.rfind("Usage: ampgrad " + command + " [OPTIONS]\n", 0), 0u) << out;
    EXPECT_EQ(ExpectRuns({"help", command}).out, out);
  }
}

TEST_F(CommandHelp, EveryTopicIsDescribed) {
  ASSERT_GE(Topics().size(), 6u) << usage_;
  for (const std::string& topic : Topics()) {
    const std::string out = ExpectRuns({"help", topic}).out;
    EXPECT_GE(Lines(out).size(), 4u) << topic;
    // What stands as it is has less room in a manual page, which indents it by eleven columns.
    for (const std::string& line : Lines(out)) EXPECT_LE(report::Width(line), line[0] == ' ' ? 73u : 80u) << line;
  }
  ExpectFails(2, {"help", "dance"}, "ampgrad help: expected a command or a topic, of chain, models, ");
  ExpectFails(2, {"help", "data", "runs"}, "expected one command or topic, found 'runs' too");
  ExpectFails(2, {"help", "dance", "--man"}, "expected the name of a command beside --man, found 'dance'");
  ExpectFails(2, {"help", "--man", "--completion"}, "expected one of a topic, --man, --completion and --write");
}

// An option that a topic or an example names is one of the program's, or of the very command.
TEST_F(CommandHelp, TextsNameOptionsThatExist) {
  std::set<std::string> all;
  for (const std::string& command : Commands()) {
    const std::vector<std::string> options = OptionsOf(command);
    const std::set<std::string> known(options.begin(), options.end());
    all.insert(known.begin(), known.end());
    const std::string out = ExpectRuns({command, "--help"}).out;
    for (const std::string& line : Matches(out, "\n  ([^#\n]*ampgrad [^\n]*)")) {
      EXPECT_NE(line.find("ampgrad " + command + " "), std::string::npos) << line;
      for (const std::string& option : Matches(line, "(--[a-z0-9-]+)")) EXPECT_TRUE(known.contains(option)) << line;
    }
  }
  for (const std::string& topic : Topics()) {
    const std::string text = ExpectRuns({"help", topic}).out;
    for (const std::string& option : Matches(text, "(--[a-z0-9-]+)")) EXPECT_TRUE(all.contains(option)) << option;
  }
}

TEST_F(CommandHelp, AManPageHasEveryOption) {
  const std::string program = ExpectRuns({"help", "--man"}).out;
  EXPECT_EQ(program.rfind(".TH AMPGRAD 1 ", 0), 0u);
  for (const char* section : {"MODELS", "DATA", "METHODS", "RUNS", "EXIT\\-STATUS"}) {
    EXPECT_NE(program.find("\n.SH " + std::string(section) + "\n"), std::string::npos) << section;
  }
  for (const std::string& command : Commands()) {
    EXPECT_NE(program.find("\\fBampgrad\\-" + command + "\\fR(1)"), std::string::npos) << command;
    const std::string page = ExpectRuns({"help", command, "--man"}).out;
    size_t at = page.find("\n.SH OPTIONS\n");
    ASSERT_NE(at, std::string::npos) << command;
    for (const std::string& option : OptionsOf(command)) {
      const std::string escaped = std::regex_replace(option, std::regex("-"), "\\-");
      at = page.find("\n.TP\n\\fB" + escaped + "\\fR", at);  // in the order of the help
      ASSERT_NE(at, std::string::npos) << command << " " << option;
    }
    for (const char c : page) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << command;
  }
}

TEST_F(CommandHelp, WritesWhatAnInstallationHas) {
  ExpectRuns({"help", "--write", Path("share")});
  std::set<std::string> expected = {"man",
                                    "man/man1",
                                    "man/man1/ampgrad.1",
                                    "bash-completion",
                                    "bash-completion/completions",
                                    "bash-completion/completions/ampgrad"};
  for (const std::string& command : Commands()) {
    expected.insert("man/man1/ampgrad-" + command + ".1");
    EXPECT_EQ(Get(Path("share/man/man1/ampgrad-" + command + ".1")), ExpectRuns({"help", command, "--man"}).out);
  }
  EXPECT_EQ(FilesBelow(Path("share")), expected);
  EXPECT_EQ(Get(Path("share/man/man1/ampgrad.1")), ExpectRuns({"help", "--man"}).out);
  EXPECT_EQ(Get(Path("share/bash-completion/completions/ampgrad")), ExpectRuns({"help", "--completion"}).out);
}

TEST_F(CommandHelp, GroffReadsThePagesWithoutAWarning) {
  if (std::system("groff --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "groff is not installed";
  ExpectRuns({"help", "--write", Path("share")});
  for (const auto& entry : fs::directory_iterator(Path("share/man/man1"))) {
    const std::string page = entry.path().string();
    const std::string command =
        "groff -man -Tutf8 -ww '" + page + "' > '" + Path("text") + "' 2> '" + Path("warn") + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << page;
    EXPECT_EQ(Get(Path("warn")), "") << page;
    if (entry.path().filename() == "ampgrad.1") {
      EXPECT_NE(Get(Path("text")).find("W = S·B + 1·μᵀ    S: scores [n, K]"), std::string::npos) << Get(Path("text"));
    }
  }
}

TEST_F(CommandHelp, BashOffersEveryOption) {
  Put(Path("completion"), ExpectRuns({"help", "--completion"}).out);
  std::vector<std::string> names = Commands();
  names.insert(names.end(), {"--help", "--version"});
  EXPECT_EQ(Completions({""}), names);
  EXPECT_EQ(Completions({"ge"}), Words{"generate"});
  for (const std::string& command : Commands()) {
    EXPECT_EQ(Completions({command, "--"}), OptionsOf(command)) << command;
  }
  EXPECT_EQ(Completions({"sft", "--save-"}), Words{"--save-every"});
  Words subjects = Commands();
  for (const std::string& topic : Topics()) subjects.push_back(topic);
  const Words offered = Completions({"help", ""});
  EXPECT_EQ(Words(offered.end() - static_cast<long>(subjects.size()), offered.end()), subjects);
}

TEST_F(CommandHelp, BashOffersFilesDirectoriesAndWords) {
  Put(Path("completion"), ExpectRuns({"help", "--completion"}).out);
  fs::create_directories(Path("models/one"));
  Put(Path("my pairs.jsonl"), "{}");
  EXPECT_EQ(Completions({"sft", "--adapter", "mo"}), Words{"models"});
  EXPECT_EQ(Completions({"sft", "--adapter", "models/"}), Words{"models/one"});
  EXPECT_EQ(Completions({"sft", "--adapter", "=", "mo"}), Words{"models"});
  EXPECT_EQ(Completions({"sft", "--adapter", "="}), Words{"models"});
  EXPECT_EQ(Completions({"sft", "--adapter", "my"}), Words{});
  Words either = Completions({"sft", "--model", "m"});  // a directory or a file
  std::ranges::sort(either);
  EXPECT_EQ(either, (Words{"models", "my pairs.jsonl"}));
  EXPECT_EQ(Completions({"sft", "--data", "my"}), Words{"my pairs.jsonl"});
  EXPECT_EQ(Completions({"report", "mo"}), Words{"models"});
  EXPECT_EQ(Completions({"sft", "--chain", ""}), (Words{"explicit", "factored"}));
  EXPECT_EQ(Completions({"sft", "--method", "lora"}), (Words{"lora", "lora-fa"}));
  EXPECT_EQ(Completions({"sft", "--seed", ""}), Words{});
}

// Bash offers the words that the program takes.
TEST_F(CommandHelp, TheWordsThatBashOffersAreThoseOfTheProgram) {
  CommandLine::SetUp();
  Put(Path("completion"), ExpectRuns({"help", "--completion"}).out);
  for (const char* option : {"--method", "--chain", "--start", "--rows", "--save", "--keep"}) {
    const Result result =
        Run({"sft", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--out", Path("new"), option, "nonsense"});
    EXPECT_EQ(result.code, 2) << result.err;
    const std::vector<std::string> lists = Matches(result.err, "to be one of ([^']*), found 'nonsense'");
    ASSERT_EQ(lists.size(), 1u) << result.err;
    std::set<std::string> taken;
    std::istringstream stream(lists[0]);
    for (std::string word; stream >> word;) taken.insert(word.ends_with(",") ? word.substr(0, word.size() - 1) : word);
    const std::vector<std::string> offered = Completions({"sft", option, ""});
    EXPECT_EQ(std::set<std::string>(offered.begin(), offered.end()), taken) << option;
  }
}

}  // namespace
}  // namespace ampgrad::train
