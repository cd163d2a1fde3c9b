#include <gtest/gtest.h>

#include <string>

#include "tests/support/command_line.h"

/// The files that options name, and what is left of them when a run does not end well.
namespace ampgrad::train {
namespace {

class CommandFiles : public CommandLine {
 protected:
  Words Sweep(const Words& more) const {
    return Join({"sweep", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--k", "2", "--steps", "1",
                 "--search-steps", "1", "--batch", "2"},
                more);
  }
};

TEST_F(CommandFiles, AnOutputIsNeverAnInput) {
  fs::create_symlink(Path("pairs.jsonl"), Path("link"));
  fs::create_hard_link(Path("base/config.json"), Path("hard"));
  for (const std::string& file : {Path("pairs.jsonl"), dir().string() + "/./pairs.jsonl", Path("link"),
                                  Path("base/model.safetensors"), Path("base/config.json"), Path("hard")}) {
    const std::string option =
        file == Path("pairs.jsonl") || file == Path("link") || file.find("/./") != file.npos ? "--data" : "--model";
    ExpectFails(1, Sweep({"--json", file}),
                "--json " + file + ": is an input, of " + option + "; expected another file");
    ExpectFails(1, Sft("new", 1, {"--log", file}), "--log " + file + ": is an input, of " + option);
    ExpectFails(1, {"audit", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--html", file},
                "is an input, of");
  }
  for (const char* option : {"--json", "--dump"}) {
    ExpectFails(1, {"check", "--reference", Path("base"), option, Path("base/model.safetensors")},
                "is an input, of --reference; expected another file");
  }
  ExpectFails(1, Pretrain("new", 1, {"--log", Path("text.txt")}), "is an input, of --text");
}

// Commands that write a file by --out; an adapter's inputs are those of its base, too.
TEST_F(CommandFiles, OutIsNeverAnInput) {
  ExpectRuns({"sft", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--steps", "1", "--method", "lora",
              "--out", Path("adapter")});
  const std::string weights = Path("base/model.safetensors"), before = Get(weights);
  for (const Words& words : {Words{"quantize", "--model", Path("base")},
                             {"quantize", "--model", Path("adapter")},
                             {"export", "--model", Path("base"), "--format", "gguf"},
                             {"export", "--model", Path("adapter"), "--format", "gguf"}}) {
    ExpectFails(1, Join(words, {"--out", weights}),
                "--out " + weights + ": is an input, of --model; expected another file");
  }
  EXPECT_EQ(Get(weights), before);
  ExpectFails(1, {"quantize", "--model", Path("base"), "--text", Path("text.txt"), "--out", Path("text.txt")},
              "--out " + Path("text.txt") + ": is an input, of --text; expected another file");
  ExpectRuns({"quantize", "--model", Path("base"), "--out", Path("m.gguf")});
  ExpectRuns({"quantize", "--model", Path("base"), "--out", Path("m.gguf")});  // an older output is no input
  ExpectFails(1, {"quantize", "--model", Path("m.gguf"), "--out", Path("m.gguf")}, "is an input, of --model");
}

// A file without the tokenizer that was asked for would be of no use.
TEST_F(CommandFiles, QuantizeNeedsTheTokenizerThatIsNamed) {
  const Words quantize = {"quantize", "--model", Path("base"), "--out", Path("m.gguf")};
  ExpectFails(1, Join(quantize, {"--tokenizer", Path("none")}), Path("none/tokenizer.json") + ": no such file");
  EXPECT_FALSE(fs::exists(Path("m.gguf")));
  fs::remove(Path("base/tokenizer.json"));
  EXPECT_NE(ExpectRuns(quantize).err.find("has no tokenizer, so the file has none"), std::string::npos);
  Put(Path("base/tokenizer.model"), "");
  ExpectFails(1, quantize, "tokenizer.model must be converted");
}

// Names of files are bytes. What is written of them is UTF-8.
TEST_F(CommandFiles, ANameNeedNotBeUtf8) {
  const std::string odd = Path("caf\xe9");
  fs::rename(Path("base"), odd);
  const Words sft = {"sft", "--model", odd, "--data", Path("pairs.jsonl"), "--steps", "1", "--k", "2"};
  ExpectRuns(Join(sft, {"--out", Path("adapter"), "--log", Path("log")}));
  ExpectRuns({"quantize", "--model", odd + "/", "--out", Path("m.gguf")});
  ExpectRuns({"generate", "--model", Path("m.gguf"), "--prompt", "a", "--tokens", "1"});
  EXPECT_NE(Get(Path("m.gguf")).find("caf\uFFFD"), std::string::npos);
}

TEST_F(CommandFiles, AModelIsAudited) {
  const Words words = {"audit", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--html", Path("audit.html")};
  EXPECT_NE(ExpectRuns(words).out.find("PASSED"), std::string::npos);
  EXPECT_NE(Get(Path("audit.html")).find("</html>"), std::string::npos);
}

TEST_F(CommandFiles, OutputsAreCheckedBeforeTheWork) {
  fs::create_directory(Path("folder"));
  const Words audit = {"audit", "--model", Path("base"), "--data", Path("pairs.jsonl")};
  for (const Words& words : {Sweep({"--json"}), Join(audit, {"--html"}), Join(audit, {"--json"}),
                             Words{"check", "--reference", Path("base"), "--dump"}, Sft("new", 1, {"--log"})}) {
    ExpectFails(1, Join(words, {Path("none/x")}),
                Path("none/x") + ": cannot open its directory: No such file or directory");
    ExpectFails(1, Join(words, {Path("text.txt/x")}), Path("text.txt/x") + ": cannot ");
    for (const std::string& place : {Path("folder"), std::string("/dev/null")}) {
      ExpectFails(1, Join(words, {place}), place + ": cannot write here: expected a regular file or none");
    }
    ExpectFails(1, Join(words, {Path(std::string(300, 'x'))}), ": cannot write here: File name too long");
  }
}

TEST_F(CommandFiles, OutputsDoNotCollide) {
  const std::string again = dir().string() + "/../" + dir().filename().string() + "/x";
  ExpectFails(1, {"analyze", "--model", Path("base"), "--html", Path("x"), "--json", again},
              "--html and --json name the same file: " + Path("x"));
  fs::create_directory(Path("new"));
  ExpectFails(1, Sft("new", 1, {"--log", Path("new/log")}),
              "--log " + Path("new/log") + ": lies in the directory of --out, which must be empty until the run ends");
}

// The corrected command must not find the log of the refused one.
TEST_F(CommandFiles, ARefusedRunLeavesNoLog) {
  ExpectFails(1, Sft("new", 1, {"--log", Path("log"), "--batch", "1048576", "--length", "64"}), "would fit");
  ExpectFails(1, Sft("new", 1, {"--log", Path("log"), "--layers", "7"}), "");
  ExpectRuns(Sft("new", 1, {"--log", Path("log")}));
  EXPECT_EQ(Log("log").size(), 1u);
}

TEST_F(CommandFiles, OutIsCheckedBeforeTheWork) {
  fs::create_symlink("nowhere", Path("link"));
  ExpectFails(1, Sft("link", 1), Path("link") + ": cannot be created: it is a link to nothing");
  ExpectFails(1, Sft(std::string(256, 'n'), 1), ": cannot be created: File name too long");
  ExpectFails(1, {"synth", "--preset", "tiny", "--out", "/proc"}, "/proc: ");
  const std::string longest(250, 'n');
  ExpectRuns(Sft(longest, 1));
  EXPECT_TRUE(fs::exists(Path(longest + "/model.safetensors")));
}

TEST_F(CommandFiles, TheSettingsOfTheBaseAreReadFirst) {
  for (const std::string file : {"generation_config.json", "special_tokens_map.json"}) {
    fs::create_directory(Path("base/" + file));
    ExpectFails(1, Sft("new", 1), Path("base/" + file) + ": not a regular file");
    fs::remove(Path("base/" + file));
  }
}

TEST_F(CommandFiles, AFileThatIsTooLargeIsASentence) {
  const std::set<std::string> before = FilesBelow(dir());
  const Result result =
      RunShell("ulimit -f 100; exec \"$0\" \"$@\"", {"synth", "--preset", "tiny", "--out", Path("new")});
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("model.safetensors: cannot write: File too large\n"), std::string::npos) << result.err;
  EXPECT_EQ(FilesBelow(dir()), before);
}

// Somebody takes the name while the run trains: what it learned is kept.
// The cause is the system's own, whichever function meets it.
TEST_F(CommandFiles, ErrorsOfTheFileSystemAreSentences) {
  const std::string name(300, 'x'), cause = name + ": File name too long";
  ExpectFails(1, {"generate", "--model", name, "--prompt", "a"}, "ampgrad generate: " + cause);
  ExpectFails(1, {"sft", "--model", name, "--data", Path("pairs.jsonl"), "--out", Path("new")},
              "ampgrad sft: " + cause);
  ExpectFails(1, {"sft", "--model", Path("base"), "--data", name, "--out", Path("new")}, "ampgrad sft: " + cause);
  ExpectFails(1,
              {"sft", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--out", Path("new"), "--freeze", name},
              "ampgrad sft: " + cause);
  ExpectFails(1, {"pretrain", "--text", name, "--out", Path("new")}, "ampgrad pretrain: " + cause);
}

TEST_F(CommandFiles, AFailedSaveKeepsWhatItWrote) {
  const std::string log = Path("log"), out = Path("new");
  const std::string intruder =
      "{ while [ ! -s " + log + " ]; do sleep .02; done; mkdir " + out + "; touch " + out + "/f; }";
  const Result result =
      RunShell(intruder + " & exec \"$0\" \"$@\"", Sft("new", 4000, {"--log", log, "--threads", "1"}));
  EXPECT_EQ(result.code, 1);
  const std::string words = ": cannot be created: Directory not empty; what was written is kept in ";
  const size_t at = result.err.find(words);
  ASSERT_NE(at, std::string::npos) << result.err;
  const std::string kept = result.err.substr(at + words.size(), result.err.size() - at - words.size() - 1);
  EXPECT_EQ(kept.rfind(out + ".partial-", 0), 0u) << kept;
  EXPECT_EQ(FilesBelow(kept), (std::set<std::string>{"ampgrad.json", "config.json", "generation_config.json",
                                                     "model.safetensors", "tokenizer.json"}));
  EXPECT_EQ(FilesBelow(out), std::set<std::string>{"f"});
}

}  // namespace
}  // namespace ampgrad::train
