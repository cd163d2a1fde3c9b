#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/support/command_line.h"
#include "train/commands/options/files.h"

/// Runs that are stopped and go on, their settings as a file, and what they show meanwhile.
namespace ampgrad::train {
namespace {

class CommandRuns : public CommandLine {
 protected:
  // The program gets a signal once its log has begun.
  Result Stopped(const Words& words, const std::string& log, const std::string& signal = "INT") const {
    const std::string begun = "while [ ! -s " + Path(log) + " ]; do sleep .01; done";
    return RunShell("trap - INT; \"$0\" \"$@\" & p=$!; " + begun + "; kill -" + signal + " $p; wait $p", words);
  }
  std::string Directory(const std::string& out) const { return Path(out + ".run"); }
};

TEST_F(CommandRuns, AResumedRunEndsAsTheOneThatNeverStopped) {
  const Words more = {"--threads", "1", "--log"};
  const std::vector<std::pair<std::string, Words>> runs = {
      {"pretrain", Pretrain("new", 300, Join({"--eval-every", "80", "--keep", "best"}, more))},
      {"sft", Sft("new", 300, Join({"--shards", "2", "--batch", "4"}, more))},
      {"sft", Sft("new", 300, Join({"--method", "full", "--batch", "2", "--optimizer", "sgd"}, more))}};
  for (const auto& [command, words] : runs) {
    SCOPED_TRACE(::testing::PrintToString(words));
    for (const char* name : {"new", "new.run", "first", "log", "log1"}) fs::remove_all(Path(name));
    ExpectRuns(Join(words, {Path("log1")}));
    fs::rename(Path("new"), Path("first"));
    const Result result = Stopped(Join(words, {Path("log")}), "log", "TERM");
    ASSERT_EQ(result.code, 143) << result.err;
    const std::string sentence = Sentences(result).back(), start = "ampgrad " + command + ": interrupted after step ";
    EXPECT_EQ(sentence.rfind(start, 0), 0u) << sentence;
    EXPECT_TRUE(
        sentence.ends_with(" of 300; it goes on with 'ampgrad " + command + " --resume " + Directory("new") + "'"))
        << sentence;
    EXPECT_EQ(FilesBelow(Directory("new")), (std::set<std::string>{"ampgrad.json", "state.safetensors"}));
    EXPECT_FALSE(fs::exists(Path("new")));
    ExpectRuns({command, "--resume", Directory("new"), "--threads", "2"});
    EXPECT_FALSE(fs::exists(Directory("new")));
    EXPECT_EQ(FilesBelow(Path("new")), FilesBelow(Path("first")));
    for (const std::string& file : FilesBelow(Path("new"))) {
      const bool settings = file == "ampgrad.json";  // they name another log
      EXPECT_EQ(Get(Path("new/" + file)) == Get(Path("first/" + file)), !settings) << file;
    }
    EXPECT_EQ(Log("log"), Log("log1"));
  }
}

/// A run that was stopped, in new.run.
class StoppedRun : public CommandRuns {
 protected:
  void SetUp() override {
    CommandRuns::SetUp();
    ASSERT_EQ(Stopped(Sft("new", 3000, {"--log", Path("log")}), "log", "TERM").code, 143);
  }
  Words Resume(const Words& more = {}) const { return Join({"sft", "--resume", Directory("new")}, more); }
};

TEST_F(StoppedRun, RefusesOtherSettings) {
  ExpectFails(2, Resume({"--lr", "1"}), "--lr beside --resume: a run goes on with its own settings; expected none but");
  ExpectFails(2, Resume({"--simd", "scalar"}), "--simd beside --resume");
  ExpectFails(1, {"pretrain", "--resume", Directory("new")}, "ampgrad.json: expected the options of this command");
  ExpectFails(1, Sft("new", 3),
              Directory("new") +
                  ": holds the state of a run that did not end; go on with 'ampgrad "
                  "sft --resume " +
                  Directory("new") + "', or remove it");
  ExpectFails(1, {"pretrain", "--resume", Path("base")}, Path("base") + ": expected to be " + Directory("base"));
  ExpectFails(1, {"sft", "--resume", Path("none")}, Path("none/ampgrad.json") + ": no such file");
}

TEST_F(StoppedRun, RefusesChangedInputs) {
  const std::string pairs = Get(Path("pairs.jsonl")), config = Get(Path("base/config.json"));
  Put(Path("pairs.jsonl"), pairs + "\n");
  ExpectFails(1, Resume(), Path("pairs.jsonl") + ": has changed since the run began: expected ");
  Put(Path("pairs.jsonl"), pairs);
  Put(Path("base/config.json"), config + " ");
  ExpectFails(1, Resume(), Path("base/config.json") + ": has changed since the run began: expected ");
  Put(Path("base/config.json"), config);
  std::string weights = Get(Path("base/model.safetensors"));
  weights[weights.size() - 4] ^= 1;
  Put(Path("base/model.safetensors"), weights);
  ExpectFails(1, Resume(), Path("base/model.safetensors") + ": has changed since the run began: expected ");
  fs::remove(Path("log"));
}

TEST_F(StoppedRun, OfADirectoryThatWasMovedIsRefused) {
  fs::rename(Directory("new"), Path("moved.run"));
  ExpectFails(1, {"sft", "--resume", Path("moved.run")},
              Path("moved.run") + ": expected to be " + Directory("new") + ", beside the output of its run");
}

// The process was killed after its result was in place.
TEST_F(CommandRuns, ARunThatHadEndedIsLeftAsItIs) {
  ExpectRuns(Sft("new", 2));
  fs::create_directory(Directory("new"));
  fs::copy(Path("new/ampgrad.json"), Directory("new"));
  const std::string model = Get(Path("new/model.safetensors"));
  const Result result = ExpectRuns({"sft", "--resume", Directory("new")});
  EXPECT_EQ(result.out, "the run had ended; its result is in " + Path("new") + "\n");
  EXPECT_FALSE(fs::exists(Directory("new")));
  EXPECT_TRUE(Get(Path("new/model.safetensors")) == model);
}

// Below an adapter lies a base, whose every weight decides the losses.
TEST_F(CommandRuns, TheBaseOfAnAdapterIsAnInputToo) {
  ExpectRuns(Sft("lora", 1, {"--method", "lora", "--save", "adapter"}));
  const Options options({{"model", "DIR", nullptr, ""}, {"data", "FILE", nullptr, ""}},
                        {"--model", Path("lora"), "--data", Path("pairs.jsonl")});
  const auto names = [&](const std::filesystem::path& base) {
    std::set<std::string> files;
    for (const auto& [name, digest] : DigestInputs(options, base)) files.insert(name);
    return files;
  };
  EXPECT_FALSE(names({}).contains(Path("base/model.safetensors")));
  EXPECT_TRUE(names(Path("base")).contains(Path("base/model.safetensors")));
  for (const char* file : {"lora/adapter.safetensors", "pairs.jsonl"}) {
    EXPECT_TRUE(names(Path("base")).contains(Path(file))) << file;
  }
}

TEST_F(CommandRuns, AResultHoldsItsSettings) {
  const Words words = {"sft",    "--model",      Path("base"), "--data", Path("pairs.jsonl"), "--epochs", "0.25",
                       "--save", "merged",       "--k",        "5",      "--schedule",        "linear",   "--lr-min",
                       "1e-4",   "--checkpoint", "--out"};
  ExpectRuns(Join(words, {Path("new"), "--log", Path("log")}));
  EXPECT_EQ(Log("log").size(), 2u);  // a quarter of 48 samples, 8 a step
  const nlohmann::json settings = nlohmann::json::parse(Get(Path("new/ampgrad.json")));
  EXPECT_EQ(settings.at("k"), 5);
  EXPECT_EQ(settings.at("lr-min"), "1e-4");
  EXPECT_EQ(settings.at("batch"), 8);  // a default
  EXPECT_EQ(settings.at("checkpoint"), true);
  EXPECT_FALSE(settings.contains("steps") || settings.contains("threads"));
  ExpectRuns({"sft", "--config", Path("new/ampgrad.json"), "--out", Path("again"), "--log", Path("log2")});
  EXPECT_EQ(Log("log2"), Log("log"));
  EXPECT_TRUE(Get(Path("again/model.safetensors")) == Get(Path("new/model.safetensors")));
  ExpectRuns({"sft", "--config", Path("new/ampgrad.json"), "--out", Path("other"), "--log", Path("log3"), "--k", "6"});
  EXPECT_FALSE(Get(Path("other/model.safetensors")) == Get(Path("new/model.safetensors")));
}

// The nano preset has heads of 16 columns.
TEST_F(CommandRuns, AModelMayHaveAnotherWidth) {
  ExpectRuns(Pretrain("wide", 1, {"--width", "48"}));
  const nlohmann::json config = nlohmann::json::parse(Get(Path("wide/config.json")));
  EXPECT_EQ(config.at("n_embd"), 48);
  EXPECT_EQ(config.at("n_head"), 3);
  ExpectFails(2, Pretrain("odd", 1, {"--width", "40"}),
              "--width: expected a multiple of the preset's heads of 16 columns, found 40");
}

TEST_F(CommandRuns, WrongCombinationsAreUsageErrors) {
  ExpectFails(2, Sft("new", 3, {"--epochs", "2"}), "--steps and --epochs: expected one of them");
  ExpectFails(2, Sft("new", 3, {"--shards", "2", "--accumulate", "2"}), "--shards and --accumulate are the same");
  ExpectFails(2, Sft("new", 3, {"--shards", "9"}), "expected --shards to be an integer in 1..8, found '9'");
  ExpectFails(2, Sft("new", 3, {"--keep", "best"}), "--keep best needs --eval-every");
  ExpectFails(2, Sft("new", 3, {"--patience", "1"}), "--patience needs --eval-every");
  ExpectFails(2, Sft("new", 3, {"--optimizer", "adam"}), "expected --optimizer to be one of adamw, sgd, found 'adam'");
  ExpectFails(2, Sft("new", 3, {"--schedule", "step"}), "expected --schedule to be one of cosine, linear, constant");
  ExpectFails(2, Sft("new", 3, {"--beta1", "1"}), "expected --beta1 to be a number in 0..");
  Put(Path("config"), R"({"stepz": 3})");
  ExpectFails(1, Sft("new", 3, {"--config", Path("config")}),
              Path("config") + ": expected the options of this command, found the key 'stepz'");
}

TEST_F(CommandRuns, AccumulateIsAnotherNameForShards) {
  ExpectRuns(Sft("a", 3, {"--shards", "4"}));
  ExpectRuns(Sft("b", 3, {"--accumulate", "4"}));
  ExpectRuns(Sft("c", 3, {"--shards", "1"}));
  ExpectRuns(Sft("d", 3));
  EXPECT_TRUE(Get(Path("a/model.safetensors")) == Get(Path("b/model.safetensors")));
  EXPECT_TRUE(Get(Path("c/model.safetensors")) == Get(Path("d/model.safetensors")));
  EXPECT_FALSE(Get(Path("a/model.safetensors")) == Get(Path("d/model.safetensors")));
}

TEST_F(CommandRuns, ALogMayBeATable) {
  ExpectRuns(Sft("new", 3, {"--log", Path("log.csv"), "--eval-every", "2"}));
  ExpectRuns(Sft("same", 3, {"--log", Path("log"), "--eval-every", "2"}));
  const std::vector<std::string> lines = Lines(Get(Path("log.csv")));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "step,run,loss,lr,grad_norm,validation_loss,held_out_loss,tokens_per_second");
  const std::vector<nlohmann::json> same = Log("log");
  for (size_t i = 0; i < 3; ++i) {
    const std::string validation = i == 0 ? "" : same[i].at("validation_loss").dump();
    const std::string start = std::to_string(i + 1) + ",\"exact K=8\"," + same[i].at("loss").dump() + "," +
                              same[i].at("lr").dump() + "," + same[i].at("grad_norm").dump() + "," + validation + ",,";
    EXPECT_EQ(lines[i + 1].rfind(start, 0), 0u) << lines[i + 1] << "\n" << start;
  }
}

TEST_F(CommandRuns, SamplesAreShown) {
  const Result held_out = ExpectRuns(Sft("new", 2, {"--sample-every", "1"}));
  EXPECT_NE(held_out.err.find("step 1: How many birds?  → "), std::string::npos) << held_out.err;
  const Result given = ExpectRuns(Pretrain("text", 2, {"--sample-every", "2", "--sample-prompt", "Once\x1B"}));
  EXPECT_NE(given.err.find("step 2: Once\\x1b → "), std::string::npos) << given.err;
  EXPECT_EQ(given.err.find("step 1: Once"), std::string::npos) << given.err;
}

TEST_F(CommandRuns, TheBestEvaluationIsNamed) {
  const Result result = ExpectRuns(
      Sft("new", 30, {"--method", "full", "--lr", "0", "--eval-every", "5", "--keep", "best", "--patience", "2"}));
  EXPECT_NE(result.out.find("\nended after step 15 of 30: 2 evaluations in a row were no better\n"), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("\nbest evaluation: loss "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find(" at step 5, whose parameters are kept\n"), std::string::npos) << result.out;
}

}  // namespace
}  // namespace ampgrad::train
