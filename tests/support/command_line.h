#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

extern char** environ;

/// The built program, run as a user runs it: exit codes, the two streams, and the files that are there afterwards.
namespace ampgrad::train {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

inline std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline std::set<std::string> FilesBelow(const fs::path& directory) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    files.insert(fs::relative(entry.path(), directory).string());
  }
  return files;
}

struct Result {
  int code;  // 128 + signal when it was killed
  std::string out, err;
};

class CommandLine : public ::testing::Test {
 protected:
  // Everything that is not under test lies in dir(): a text, pairs, and a model that was trained on the text.
  void SetUp() override {
    std::string text, pairs;
    for (int i = 0; i < 60; ++i) {
      text += "Once upon a time there were " + std::to_string(i) + " birds in a tree.\n";
      pairs += R"({"prompt":"How many birds? ","completion":"There are )" + std::to_string(i) + " birds.\"}\n";
    }
    Put(Path("text.txt"), text);
    Put(Path("pairs.jsonl"), pairs);
    ExpectRuns(Pretrain("base", 4));
  }

  fs::path dir() const { return dir_.path(); }
  std::string Path(const std::string& name) const { return (dir() / name).string(); }

  /// Runs the program. `stdout_path` "-": standard output is closed.
  Result Run(const Words& words, const std::string& stdout_path = "") const {
    return RunAny(Join({AMPGRAD_PROGRAM}, words), stdout_path);
  }
  /// Runs a line of shell, in which `"$0" "$@"` is the program with these words.
  Result RunShell(const std::string& line, const Words& words) const {
    return RunAny(Join({"/bin/sh", "-c", line, AMPGRAD_PROGRAM}, words), "");
  }

  Words Pretrain(const std::string& out, int steps, const Words& more = {}) const {
    const Words words = {"pretrain", "--preset", "nano", "--text", Path("text.txt"), "--length", "24"};
    return Join(Join(words, {"--out", Path(out), "--steps", std::to_string(steps)}), more);
  }
  Words Sft(const std::string& out, int steps, const Words& more = {}) const {
    // Most tests look at the model.
    const bool told = std::find(more.begin(), more.end(), "--save") != more.end();
    const Words words = Join({"sft"}, told ? Words{} : Words{"--save", "merged"});
    const Words given = {"--model", Path("base"), "--data", Path("pairs.jsonl"), "--out", Path(out)};
    return Join(Join(words, Join(given, {"--steps", std::to_string(steps)})), more);
  }

  static Words Join(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  Result ExpectRuns(const Words& words) const {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 0) << result.out << result.err;
    return result;
  }

  /// The lines on stderr apart from progress.
  static std::vector<std::string> Sentences(const Result& result) {
    std::vector<std::string> sentences;
    for (const std::string& line : Lines(result.err)) {
      const bool progress = line.find(": step ") != line.npos || line.find(" … ") != line.npos;
      if (!progress || line.rfind("ampgrad", 0) == 0) sentences.push_back(line);
    }
    return sentences;
  }

  /// Expects exit code `code`, one sentence with `part` on stderr (apart from progress), and no file added or lost.
  void ExpectFails(int code, const Words& words, const std::string& part) const {
    SCOPED_TRACE(::testing::PrintToString(words));
    const std::set<std::string> before = FilesBelow(dir());
    const Result result = Run(words);
    EXPECT_EQ(result.code, code) << result.err;
    const std::vector<std::string> sentences = Sentences(result);
    ASSERT_TRUE(sentences.size() == 1 && result.err.ends_with("\n")) << result.err;
    EXPECT_EQ(sentences[0].rfind("ampgrad", 0), 0u) << sentences[0];
    EXPECT_NE(sentences[0].find(part), std::string::npos) << sentences[0] << "\ndoes not hold: " << part;
    EXPECT_EQ(FilesBelow(dir()), before);
  }

  /// Lines of a log without the field that depends on time.
  std::vector<nlohmann::json> Log(const std::string& name) const {
    std::vector<nlohmann::json> lines;
    for (const std::string& line : Lines(Get(Path(name)))) {
      lines.push_back(nlohmann::json::parse(line));
      EXPECT_EQ(lines.back().erase("tokens_per_second"), 1u);
    }
    return lines;
  }

 private:
  Result RunAny(const Words& words, const std::string& stdout_path) const {
    const TempDir streams;
    const std::string out = stdout_path.empty() ? (streams.path() / "out").string() : stdout_path;
    const std::string err = (streams.path() / "err").string();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (out == "-") {
      posix_spawn_file_actions_addclose(&actions, 1);
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
    }
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    int status = -1;
    const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(error, 0) << argv[0] << ": " << std::strerror(error);
    if (error == 0) waitpid(pid, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, stdout_path.empty() ? Get(out) : "", Get(err)};
  }

  TempDir dir_;
};

}  // namespace ampgrad::train
