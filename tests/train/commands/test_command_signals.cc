#include <gtest/gtest.h>

#include <string>

#include "tests/support/command_line.h"

/// Signals, limits, and what reaches a terminal.
namespace ampgrad::train {
namespace {

class CommandSignals : public CommandLine {
 protected:
  // The program gets `signal` after three seconds, in which it has begun its work on a busy machine too.
  Result Signalled(const std::string& signal, const Words& words) const {
    return RunShell("exec timeout --preserve-status -s " + signal + " 3 \"$0\" \"$@\"", words);
  }
};

TEST_F(CommandSignals, ARunEndsAfterItsStep) {
  for (const auto& [signal, code] : std::vector<std::pair<std::string, int>>{{"INT", 130}, {"TERM", 143}}) {
    for (const Words& words : {Pretrain("new", 1'000'000, {"--log", Path("log")}), Sft("new", 1'000'000)}) {
      const Result result = Signalled(signal, words);
      EXPECT_EQ(result.code, code);
      const Words sentences = Sentences(result);
      ASSERT_EQ(sentences.size(), 1u) << result.err;
      EXPECT_EQ(sentences[0].rfind("ampgrad " + words[0] + ": interrupted after step ", 0), 0u) << sentences[0];
      EXPECT_TRUE(fs::exists(Path("new.run/state.safetensors")));
      EXPECT_FALSE(fs::exists(Path("new")));
      EXPECT_EQ(fs::exists(Path("log")), words[0] == "pretrain");
      fs::remove_all(Path("new.run"));
      fs::remove(Path("log"));
    }
  }
}

// The step would take many seconds, and leave a state.
TEST_F(CommandSignals, ASecondSignalEndsARunAtOnce) {
  const Result result = RunShell("\"$0\" \"$@\" & p=$!; sleep 2; kill -TERM $p; sleep .7; kill -TERM $p; wait $p",
                                 Pretrain("new", 5, {"--batch", "100000", "--shards", "2000", "--threads", "1"}));
  EXPECT_EQ(result.code, 143);
  EXPECT_TRUE(result.err.ends_with("ampgrad: interrupted\n")) << result.err;
  EXPECT_FALSE(fs::exists(Path("new.run")));
}

// A sweep takes hours; the rows that are done are worth keeping.
TEST_F(CommandSignals, ASweepKeepsItsRows) {
  const std::string json = Path("rows.json");
  const Words sweep = {
      "sweep", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--json", json,        "--full-lr", "1e-3",
      "--k",   "2",       "--steps",    "1500",   "--amplitude-lr",    "1e-3",   "--threads", "1"};
  const Result result =
      RunShell("\"$0\" \"$@\" & p=$!; while [ ! -s " + json + " ]; do sleep .02; done; kill -TERM $p; wait $p", sweep);
  EXPECT_EQ(result.code, 143) << result.err;
  const std::string sentence = "ampgrad sweep: interrupted; the rows that were done, 1, are saved in " + json + "\n";
  EXPECT_TRUE(result.err.ends_with(sentence)) << result.err;
  const auto rows = nlohmann::json::parse(Get(json));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].at("method"), "full");
}

TEST_F(CommandSignals, GenerationEndsAtOnce) {
  const Result result = Signalled("INT", {"generate", "--model", Path("base"), "--prompt", "a", "--tokens", "1000000"});
  EXPECT_EQ(result.code, 130);
  EXPECT_TRUE(result.err.ends_with("ampgrad: interrupted\n")) << result.err;
}

// As a shell has them be in programs that it starts in the background.
TEST_F(CommandSignals, IgnoredSignalsStayIgnored) {
  const Result result =
      RunShell("\"$0\" \"$@\" & p=$!; sleep .3; kill -INT $p; wait $p", Pretrain("new", 3000, {"--threads", "1"}));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(fs::exists(Path("new/model.safetensors")));
}

// Training is worth more than the lines that it prints.
TEST_F(CommandSignals, TrainingOutlivesItsReader) {
  const Result result = RunShell("{ \"$0\" \"$@\"; echo $? >&2; } | true", Sft("new", 500, {"--threads", "1"}));
  EXPECT_TRUE(result.err.ends_with("ampgrad: the standard output cannot be written\n1\n")) << result.err;
  EXPECT_TRUE(fs::exists(Path("new/model.safetensors")));
}

TEST_F(CommandSignals, GenerationDoesNot) {
  const Result result = RunShell("{ timeout 20 \"$0\" \"$@\"; echo $? >&2; } | head -c 1",
                                 {"generate", "--model", Path("base"), "--prompt", "a", "--tokens", "1000000"});
  EXPECT_EQ(result.err, "ampgrad: the standard output cannot be written\n1\n");
}

#ifndef __SANITIZE_ADDRESS__  // whose shadow memory is beyond any such limit
TEST_F(CommandSignals, FewerThreadsAreANote) {
  const Result result =
      RunShell("ulimit -v 4194304; exec timeout 60 \"$0\" \"$@\"",
               {"generate", "--model", Path("base"), "--prompt", "a", "--tokens", "2", "--threads", "1000"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err.rfind("ampgrad: note: the system does not allow 1000 threads; using ", 0), 0u) << result.err;
}

TEST_F(CommandSignals, JsonThatTakesAllMemoryIsASentence) {
  std::string list = "{\"x\":[0";
  for (int i = 0; i < 3'900'000; ++i) list += ",0";
  fs::copy(Path("base"), Path("odd"));
  Put(Path("odd/config.json"), list + "]}");
  for (int megabytes = 40; megabytes <= 400; megabytes += 24) {
    const Result result =
        RunShell("ulimit -c 0; ulimit -v " + std::to_string(megabytes * 1024) + "; exec \"$0\" \"$@\"",
                 {"generate", "--model", Path("odd"), "--prompt", "a", "--threads", "1"});
    EXPECT_EQ(result.code, 1) << megabytes;
    EXPECT_EQ(Sentences(result).size(), 1u) << result.err;
  }
}
#endif

TEST_F(CommandSignals, MessagesHoldNoControlCharacters) {
  const std::string name = "a\x1B]0;b\x07\nampgrad: all is well\x7F\xC2\x9B\xFF";
  const std::string shown = R"(a\x1b]0;b\x07\x0aampgrad: all is well\x7f\xc2\x9b\xff)";
  ExpectFails(1, {"generate", "--model", name, "--prompt", "a"}, shown + ": no such model directory or GGUF file");
  ExpectFails(2, {"generate", name}, "expected an option, found '" + shown + "'");
  ExpectFails(2, {name}, "unknown command '" + shown + "'");
  fs::copy(Path("base"), Path("odd"));
  nlohmann::json config = nlohmann::json::parse(Get(Path("odd/config.json")));
  config["model_type"] = std::string(5'000'000, 'x');
  Put(Path("odd/config.json"), config.dump());
  const Result result = Run({"generate", "--model", Path("odd"), "--prompt", "a"});
  EXPECT_LT(result.err.size(), 2100u);
  EXPECT_LT(Run({"generate", "--model", std::string(100'000, 'x'), "--prompt", "a"}).err.size(), 2100u);
}

TEST_F(CommandSignals, GeneratedTextHoldsNoneUnlessAsked) {
  const Words words = {"generate", "--model", Path("base"), "--prompt", "a\x1B[2J\tb\nc\x07", "--tokens", "1"};
  EXPECT_EQ(ExpectRuns(words).out.rfind("a\\x1b[2J\tb\nc\\x07", 0), 0u);
  EXPECT_EQ(ExpectRuns(Join(words, {"--raw"})).out.rfind("a\x1B[2J\tb\nc\x07", 0), 0u);
}

}  // namespace
}  // namespace ampgrad::train
