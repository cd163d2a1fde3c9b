#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/command_line.h"
#include "tests/support/golden.h"

/// The commands from end to end: what they print, what they write, and what they refuse.
namespace ampgrad::train {
namespace {

std::set<std::string> TensorNames(const fs::path& file) {
  const std::string bytes = Get(file);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  std::set<std::string> names;
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, length));
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") names.insert(name);
  }
  return names;
}

/// Expects a table of `rows` rows in which every cell after the method's name is a finite number, or "-" for full.
void ExpectFiniteTable(const std::string& out, size_t rows) {
  size_t found = 0;
  for (const std::string& line : Lines(out)) {
    const bool full = line.rfind("| full", 0) == 0;
    if (!full && line.rfind("| amplitude", 0) != 0) continue;
    ++found;
    std::istringstream stream(line.substr(1));
    int column = 0;
    for (std::string cell; std::getline(stream, cell, '|'); ++column) {
      if (column < (full ? 3 : 2)) continue;
      char* end = nullptr;
      const double number = std::strtod(cell.c_str(), &end);
      EXPECT_TRUE(end != cell.c_str() && std::isfinite(number)) << line;
    }
    EXPECT_EQ(column, 12) << line;
  }
  EXPECT_EQ(found, rows) << out;
}

TEST_F(CommandLine, HelpIsNoError) {
  for (const char* command : {"demo", "pretrain", "sft", "sweep", "generate", "check", "synth"}) {
    for (const char* word : {"--help", "help"}) {
      const Result result = ExpectRuns({word});
      EXPECT_EQ(Sentences(result), Words{});
      EXPECT_NE(result.out.find(std::string("\n  ") + command + " "), std::string::npos) << result.out;
    }
    const Result result = ExpectRuns({command, "--help"});
    EXPECT_EQ(result.out.rfind(std::string("Usage: ampgrad ") + command + " [OPTIONS]\n", 0), 0u) << result.out;
    EXPECT_NE(result.out.find("\n  --threads N "), std::string::npos) << result.out;
  }
}

TEST_F(CommandLine, SynthWritesAModel) {
  const Result result = ExpectRuns({"synth", "--preset", "tiny", "--out", Path("made"), "--seed", "7"});
  EXPECT_EQ(result.out, Path("made") + ": 21 tensors of made-up weights, 125248 parameters in BF16\n");
  EXPECT_EQ(Sentences(result), Words{});
  EXPECT_EQ(FilesBelow(dir() / "made"), (std::set<std::string>{"config.json", "model.safetensors", "tokenizer.json"}));
  ExpectRuns({"synth", "--preset", "tiny", "--out", Path("again"), "--seed", "7", "--threads", "1"});
  EXPECT_TRUE(Get(Path("again/model.safetensors")) == Get(Path("made/model.safetensors")));
  ExpectFails(1, {"synth", "--preset", "tiny", "--out", Path("made")}, "made: exists already");
  ExpectFails(2, {"synth", "--preset", "huge", "--out", Path("huge")}, "--preset");
  ExpectFails(2, {"synth", "--preset", "tiny"}, "--out");
}

TEST_F(CommandLine, HelpNamesTheChain) {
  for (const char* command : {"sft", "sweep"}) {
    const std::string out = ExpectRuns({command, "--help"}).out;
    EXPECT_NE(out.find("\n  --chain NAME "), std::string::npos) << out;
    EXPECT_NE(out.find("explicit (dS = dW·Bᵀ) or factored (dS = dYᵀ·(X·Bᵀ)), faster [factored]"), std::string::npos)
        << out;
  }
}

TEST_F(CommandLine, WrongUsageIsExitCodeTwo) {
  const Result none = Run({});
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err.rfind("Usage: ampgrad COMMAND [OPTIONS]\n", 0), 0u) << none.err;
  ExpectFails(2, {"dance"}, "ampgrad: unknown command 'dance' (see 'ampgrad --help')");
  ExpectFails(2, {"sft", "--colour", "red"}, "ampgrad sft: unknown option --colour (see 'ampgrad sft --help')");
  ExpectFails(2, {"generate", "--model", Path("base")}, "--prompt is missing");
  ExpectFails(2, {"generate", "--model", Path("base"), "--model", Path("base")}, "--model stands twice");
  ExpectFails(2, {"pretrain", "story.txt"}, "expected an option, found 'story.txt'");
  ExpectFails(2, {"demo", "--preset", "huge"}, "expected --preset to be one of photonic, nano, found 'huge'");
  ExpectFails(2, {"demo", "--preset", "nano", "--k", "33"}, "1..32, found '33'");
  for (const char* threads : {"-1", "1000000000", "two", "1.5"}) {
    ExpectFails(2, {"demo", "--threads", threads},
                std::string("expected --threads to be an integer in 0..1024, found '") + threads + "'");
  }
  ExpectFails(2, {"demo", "--threads", ""}, "--threads needs a value");
  ExpectFails(2, {"demo", "--simd", "sse9"}, "scalar, found 'sse9'");
}

TEST_F(CommandLine, WrongNumbersAreExitCodeTwo) {
  const Words sft = {"sft", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--out", Path("new")};
  for (const char* k : {"-1", "nan", "1.5", "1e9", "eight"}) {
    ExpectFails(2, Join(sft, {"--k", k}), std::string("found '") + k + "'");
  }
  ExpectFails(2, Join(sft, {"--k", "0"}), "--k 0 with start exact is the given model; expected --start reconstructed");
  for (const char* lr : {"nan", "inf", "-1", "1e31", "fast"}) {
    ExpectFails(2, Join(sft, {"--lr", lr}), std::string("expected --lr to be a number in 0..1e+30, found '") + lr);
  }
  for (const char* option : {"--steps", "--batch", "--length"}) {
    ExpectFails(2, Join(sft, {option, "0"}), std::string("expected ") + option + " to be an integer in 1..");
  }
  ExpectFails(2, Join(sft, {"--length", "65"}), "expected --length to be an integer in 1..64, found '65'");
  ExpectFails(2, Join(sft, {"--start", "cold"}), "expected --start to be one of exact, reconstructed, found 'cold'");
  for (const std::string word : {"implicit", "Factored", "explicit,factored"}) {
    const std::string message = "ampgrad sft: expected --chain to be one of explicit, factored, found '" + word + "'";
    ExpectFails(2, Join(sft, {"--chain", word}), message + " (see 'ampgrad sft --help')");
  }
  ExpectFails(2, {"sweep", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--chain", "both"},
              "ampgrad sweep: expected --chain to be one of explicit, factored, found 'both'");
  ExpectFails(2, Join(sft, {"--weight-decay", "2"}), "expected --weight-decay to be a number in 0..1, found '2'");
}

TEST_F(CommandLine, ALargestKIsTheWidth) {
  const std::string message = "expected K of at most 32, the model's width, found 33";
  ExpectFails(1, Sft("new", 1, {"--k", "33"}), message);
  ExpectFails(1, {"sweep", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--k", "4,33,8"}, message);
  ExpectRuns(Sft("whole", 1, {"--k", "32"}));
}

TEST_F(CommandLine, WrongFilesAreExitCodeOne) {
  Put(Path("empty.txt"), "");
  Put(Path("short.txt"), std::string(129, 'a'));  // 130 would be two windows of 64 + 1
  Put(Path("blank.jsonl"), "\n\n");
  Put(Path("bad.jsonl"), "{\"prompt\":\"p\",\"completion\":\"c\"}\n{\"prompt\":\"p\"}\n");
  const auto pretrain = [&](const std::string& text, const std::string& part) {
    const Words words = {"pretrain", "--preset", "nano", "--text", Path(text), "--out", Path("new")};
    ExpectFails(1, words, Path(text) + ": " + part);
  };
  pretrain("missing.txt", "no such file");
  pretrain("base", "not a regular file");
  pretrain("empty.txt", "expected at least 130 tokens, one sequence to train on and one held out, found 0");
  pretrain("short.txt", "expected at least 130 tokens, one sequence to train on and one held out, found 129");
  const auto sft = [&](const std::string& data, const std::string& part) {
    ExpectFails(1, {"sft", "--model", Path("base"), "--data", Path(data), "--out", Path("new")}, Path(data) + part);
  };
  sft("missing.jsonl", ": no such file");
  sft("blank.jsonl", ": there is no sample in it");
  sft("bad.jsonl", ":2: expected completion to be a string, found nothing");
  ExpectFails(2, {"sft", "--model", Path("base"), "--out", Path("new")}, "--data is missing");
  ExpectFails(1, {"generate", "--model", Path("none"), "--prompt", "a"},
              Path("none") + ": no such model directory or GGUF file");
  ExpectFails(1, {"check", "--reference", Path("none")}, Path("none"));
  ExpectFails(1, {"check", "--reference", Path("base")}, "golden.safetensors");
}

TEST_F(CommandLine, AnOutputDirectoryMustBeNewOrEmpty) {
  fs::create_directory(Path("full"));
  Put(Path("full/note"), "keep me");
  const std::string message = "exists already; expected a new or an empty directory";
  for (const char* out : {"full", "base"}) {
    ExpectFails(1, Pretrain(out, 1), message);
    ExpectFails(1, Sft(out, 1), message);
  }
  ExpectFails(1, Pretrain("pairs.jsonl", 1), message);
  ExpectFails(1, Sft("text.txt", 1), message);
  EXPECT_EQ(Get(Path("full/note")), "keep me");
  fs::create_directory(Path("empty"));
  ExpectRuns(Pretrain("empty", 1));
  ExpectRuns(Pretrain("slash/", 1));
  EXPECT_EQ(FilesBelow(Path("empty")), FilesBelow(Path("slash")));
}

TEST_F(CommandLine, ADivergingRunLeavesNothingBehind) {
  ExpectFails(1, Pretrain("new", 20, {"--lr", "1e30"}), "is not finite");
  ExpectFails(1, Sft("new", 20, {"--lr", "1e30"}), "is not finite");
  ExpectFails(1, Sft("new", 20, {"--lr", "1e30", "--method", "full"}), "is not finite");
}

TEST_F(CommandLine, ADivergingRunLeavesNoParentDirectoriesBehind) {
  ExpectFails(1, Pretrain("deep/er/new", 20, {"--lr", "1e30"}), "is not finite");
}

TEST_F(CommandLine, AnInputIsNeverOverwritten) {
  const std::string text = Get(Path("text.txt")), pairs = Get(Path("pairs.jsonl"));
  EXPECT_NE(Run(Pretrain("new1", 1, {"--log", Path("text.txt")})).code, 0);
  EXPECT_NE(Run(Sft("new2", 1, {"--log", Path("pairs.jsonl")})).code, 0);
  EXPECT_TRUE(Get(Path("text.txt")) == text);
  EXPECT_TRUE(Get(Path("pairs.jsonl")) == pairs);
}

TEST_F(CommandLine, SftTakesOneK) { ExpectFails(2, Sft("new", 1, {"--k", "4,8"}), "found '4,8'"); }

TEST_F(CommandLine, TheWholeWayFromTextToTable) {
  std::set<std::string> model = {"ampgrad.json", "config.json", "model.safetensors", "tokenizer.json"};
  EXPECT_EQ(FilesBelow(Path("base")), model);
  model.insert("generation_config.json");  // the token that ended the answers
  ExpectRuns(Sft("full", 3, {"--method", "full"}));
  EXPECT_EQ(FilesBelow(Path("full")), model);
  for (const std::string start : {"exact", "reconstructed"}) {
    const Result result = ExpectRuns(Sft(start, 3, {"--start", start, "--k", "4", "--save", "both"}));
    EXPECT_NE(result.out.find(start + " K=4: 3072 parameters are trained"), std::string::npos) << result.out;  // 768·4
    std::set<std::string> files = model;
    files.insert("adapter.safetensors");
    EXPECT_EQ(FilesBelow(Path(start)), files);
    const std::set<std::string> tensors = TensorNames(dir() / start / "adapter.safetensors");
    EXPECT_EQ(tensors.size(), 2 + 8u);
    for (const char* name : {"basis", "mean", "scores.h.1.mlp.c_proj.weight"}) EXPECT_TRUE(tensors.contains(name));
    EXPECT_EQ(TensorNames(dir() / start / "model.safetensors"), TensorNames(dir() / "base" / "model.safetensors"));
  }
  for (const char* name : {"base", "full", "exact", "reconstructed"}) {
    const Words generate = {"generate", "--model", Path(name), "--prompt", "Once", "--tokens", "5"};
    const Result result = ExpectRuns(generate);
    EXPECT_EQ(Sentences(result), Words{});
    EXPECT_EQ(result.out.rfind("Once", 0), 0u) << result.out;
    EXPECT_TRUE(result.out.ends_with("\n") && result.out.size() <= 4 + 5 + 1) << result.out;
    EXPECT_EQ(Run(generate).out, result.out);
  }
  const Result sweep = ExpectRuns({"sweep", "--model", Path("base"), "--data", Path("pairs.jsonl"), "--k", "2,4",
                                   "--steps", "3", "--search-steps", "2", "--json", Path("table.json")});
  ExpectFiniteTable(sweep.out, 5);
  EXPECT_EQ(nlohmann::json::parse(Get(Path("table.json"))).size(), 5u);
}

// Two ways to the same gradients: the losses agree up to the rounding of floats, but the last bits differ.
TEST_F(CommandLine, ChainsLearnTheSame) {
  for (const std::string start : {"exact", "reconstructed"}) {
    const auto sft = [&](const std::string& name, const Words& more) {
      ExpectRuns(
          Sft(start + name, 8,
              Join({"--start", start, "--k", "4", "--save", "adapter", "--log", Path(start + name + ".log")}, more)));
      return Log(start + name + ".log");
    };
    const auto by_dw = sft("explicit", {"--chain", "explicit"}), factored = sft("factored", {"--chain", "factored"});
    ASSERT_EQ(by_dw.size(), 8u);
    ASSERT_EQ(factored.size(), 8u);
    for (size_t step = 0; step < 8; ++step) {
      for (const char* key : {"loss", "grad_norm"}) {
        const double expected = by_dw[step].at(key);
        EXPECT_NEAR(factored[step].at(key), expected, 1e-4 * expected) << start << ", " << key << " of step " << step;
      }
    }
    const std::string file = "/adapter.safetensors";
    EXPECT_FALSE(Get(Path(start + "explicit" + file)) == Get(Path(start + "factored" + file)));
    sft("default", {});
    EXPECT_TRUE(Get(Path(start + "default" + file)) == Get(Path(start + "factored" + file)));
  }
}

TEST_F(CommandLine, RateZeroWritesTheModelThatItRead) {
  for (const std::string method : {"full", "amplitude"}) {
    ExpectRuns(Sft(method, 2, {"--method", method, "--lr", "0", "--save", "merged"}));
    EXPECT_TRUE(Get(Path(method + "/model.safetensors")) == Get(Path("base/model.safetensors"))) << method;
  }
}

TEST_F(CommandLine, SameSeedSameBytesForAnyNumberOfThreads) {
  // The first two runs also show that equal calls give equal bytes.
  const Words threads = {"1", "1", "2", "3"};
  for (size_t i = 0; i < threads.size(); ++i) {
    const std::string n = std::to_string(i);
    const Words more = {"--threads", threads[i], "--seed", "7", "--log", Path("log" + n)};
    ExpectRuns(Pretrain("pretrain" + n, 4, more));  // as base, but for the seed
    EXPECT_EQ(Log("log" + n), Log("log0")) << threads[i] << " threads";
    EXPECT_TRUE(Get(Path("pretrain" + n + "/model.safetensors")) == Get(Path("pretrain0/model.safetensors")));
    for (const std::string start : {"exact", "reconstructed"}) {
      const std::string log = "log-" + start, out = start + n;
      ExpectRuns(Sft(out, 3, {"--threads", threads[i], "--start", start, "--save", "both", "--log", Path(log + n)}));
      ASSERT_EQ(Log(log + n).size(), 3u);
      EXPECT_EQ(Log(log + n), Log(log + "0")) << threads[i] << " threads";
      for (const std::string file : {"/model.safetensors", "/adapter.safetensors"}) {
        EXPECT_TRUE(Get(Path(out + file)) == Get(Path(start + "0" + file))) << file << ", " << threads[i] << " threads";
      }
    }
  }
  EXPECT_FALSE(Get(Path("base/model.safetensors")) == Get(Path("pretrain0/model.safetensors")));  // another seed
}

TEST_F(CommandLine, TheDemoEndsInATable) {
  const Words demo = {"demo", "--preset", "nano", "--pretrain-steps", "20", "--steps", "3", "--k", "2,4"};
  ExpectFiniteTable(ExpectRuns(demo).out, 5);
}

TEST_F(CommandLine, GenerateDrawsAsTold) {
  const auto generate = [&](const Words& more) {
    return ExpectRuns(Join({"generate", "--model", Path("base"), "--prompt", "Once", "--tokens", "40"}, more)).out;
  };
  const std::string greedy = generate({}), drawn = generate({"--temperature", "3"});
  EXPECT_NE(drawn, greedy);
  EXPECT_EQ(generate({"--temperature", "3", "--threads", "3"}), drawn);
  EXPECT_NE(generate({"--temperature", "3", "--seed", "2"}), drawn);
  EXPECT_NE(generate({"--temperature", "3", "--top-k", "9"}), drawn);
  EXPECT_NE(generate({"--temperature", "3", "--top-p", "0.4"}), drawn);
  EXPECT_EQ(generate({"--temperature", "3", "--top-k", "1"}), greedy);
  EXPECT_EQ(generate({"--temperature", "3", "--top-p", "0"}), greedy);
  ExpectFails(2, {"generate", "--model", Path("base"), "--prompt", "a", "--top-p", "1.5"}, "--top-p");
  ExpectFails(2, {"generate", "--model", Path("base"), "--prompt", "a", "--top-k", "-1"}, "--top-k");
}

TEST_F(CommandLine, GenerateBeginsATextWhereTheTokenizerHasATokenForThat) {
  fs::copy(Path("base"), Path("begins"));
  const fs::path file = Path("begins/tokenizer.json");
  nlohmann::json tokenizer = nlohmann::json::parse(Get(file));
  for (const auto& [token, id] : tokenizer["model"]["vocab"].items()) {
    if (id != 'O') continue;
    tokenizer["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", token}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"special_tokens", {{token, {{"id", token}, {"ids", {id}}, {"tokens", {token}}}}}}};
  }
  Put(file, tokenizer.dump());
  const auto generate = [&](const std::string& model, const Words& more) {
    return ExpectRuns(Join({"generate", "--model", Path(model), "--tokens", "9"}, more)).out;
  };
  EXPECT_EQ(generate("begins", {}), generate("base", {"--prompt", "O"}));
  EXPECT_EQ(generate("begins", {"--prompt", "nce"}), generate("base", {"--prompt", "Once"}));
}

TEST_F(CommandLine, OutputThatCannotBeWrittenIsAnError) {
  const Words generate = {"generate", "--model", Path("base"), "--prompt", "Once", "--tokens", "5"};
  for (const char* out : {"/dev/full", "-"}) {
    const Result result = Run(generate, out);
    EXPECT_EQ(result.code, 1) << out;
    EXPECT_EQ(result.err, "ampgrad: the standard output cannot be written\n");
  }
}

TEST_F(CommandLine, HelpThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(Run({"--help"}, "/dev/full").code, 1);
  EXPECT_EQ(Run({"sft", "--help"}, "/dev/full").code, 1);
}

TEST_F(CommandLine, CheckComparesWithAReference) {
  const fs::path reference = Golden("gpt2-tiny");
  ExpectRuns({"check", "--reference", reference.string(), "--json", Path("check.json"), "--dump", Path("own")});
  const nlohmann::json json = nlohmann::json::parse(Get(Path("check.json")));
  EXPECT_EQ(json.at("passed"), true);
  EXPECT_GE(json.at("groups").size(), 5u);
  for (const auto& group : json.at("groups")) EXPECT_LE(group.at("error"), group.at("bound")) << group;
  const std::set<std::string> own = TensorNames(Path("own"));
  for (const std::string& name : TensorNames(reference / "golden.safetensors")) {
    EXPECT_EQ(own.contains(name), name != "input_ids" && name != "targets") << name;
  }

  const fs::path altered = Path("altered");
  fs::create_directory(altered);
  for (const auto& entry : fs::directory_iterator(reference)) Put(altered / entry.path().filename(), Get(entry));
  std::string bytes = Get(altered / "model.safetensors");
  bytes[bytes.size() - 2] ^= 0x40;  // the highest digit of the last weight's mantissa: a third to a half of it
  Put(altered / "model.safetensors", bytes);
  const Result other = Run({"check", "--reference", altered.string(), "--json", Path("altered.json")});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.out.find("OVER ITS BOUND"), std::string::npos) << other.out;
  EXPECT_EQ(nlohmann::json::parse(Get(Path("altered.json"))).at("passed"), false);
}

}  // namespace
}  // namespace ampgrad::train
