#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "tests/support/command_line.h"

/// Judging a model, and the data of fine-tuning, from end to end.
namespace ampgrad::train {
namespace {

class CommandEval : public CommandLine {
 protected:
  Words Eval(const Words& more) const { return Join({"eval", "--model", Path("base")}, more); }
  nlohmann::json Json(const Words& more) const {
    ExpectRuns(Eval(Join(more, {"--json", Path("eval.json")})));
    return nlohmann::json::parse(Get(Path("eval.json")));
  }
  /// Ten samples that others do not have.
  void PutHeldOut() const {
    std::string lines;
    for (int i = 0; i < 10; ++i) lines += R"({"question":"Where?","answer":"Here )" + std::to_string(i) + "\"}\n";
    Put(Path("held.jsonl"), lines);
  }
};

// What sft prints before it trains is the loss of the base model on the same samples.
TEST_F(CommandEval, LossIsTheBaseLossOfSft) {
  PutHeldOut();
  const Result sft = ExpectRuns(Sft("new", 1, {"--valid", Path("held.jsonl"), "--template", "plain"}));
  EXPECT_EQ(Lines(sft.out).front().rfind("60 samples to train on, 10 held out; ", 0), 0u) << sft.out;
  const double base = std::atof(sft.out.c_str() + sft.out.find("base ") + 5);
  for (const char* batch : {"1", "3", "8"}) {
    const nlohmann::json json = Json({"--data", Path("held.jsonl"), "--batch", batch});
    EXPECT_NEAR(json.at("loss").get<double>(), base, 6e-5);
    EXPECT_NEAR(json.at("perplexity").get<double>(), std::exp(json.at("loss").get<double>()), 1e-9);
    EXPECT_EQ(json.at("samples"), 10);
    EXPECT_EQ(json.at("tokens"), 10 * 7);  // "Here N" and its end
    EXPECT_FALSE(json.contains("match"));
  }
}

// What sft prints after the training is the loss of what it saved.
TEST_F(CommandEval, LossOfAnAdapterIsTheEndLossOfSft) {
  PutHeldOut();
  const Result sft =
      ExpectRuns(Sft("new", 9, {"--valid", Path("held.jsonl"), "--template", "plain", "--save", "adapter"}));
  const double end = std::atof(sft.out.c_str() + sft.out.find("end ") + 4);
  const nlohmann::json own = Json({"--data", Path("held.jsonl"), "--adapter", Path("new")});
  EXPECT_NEAR(own.at("loss").get<double>(), end, 6e-5);
  EXPECT_GT(std::abs(Json({"--data", Path("held.jsonl")}).at("loss").get<double>() - end), 1e-3);
}

TEST_F(CommandEval, PrintsWhatItWrites) {
  PutHeldOut();
  const Result result = ExpectRuns(Eval({"--data", Path("held.jsonl"), "--length", "25", "--limit", "4", "--match",
                                         "text", "--tokens", "3", "--csv", Path("eval.csv")}));
  const std::vector<std::string> lines = Lines(result.out);
  ASSERT_EQ(lines.size(), 3u) << result.out;
  EXPECT_EQ(lines[0], "4 samples, 4 cut at the sequence length, 0 skipped, as no answer was left");
  EXPECT_TRUE(lines[1].ends_with(" of 4 tokens in 4 samples")) << lines[1];
  EXPECT_EQ(lines[2], "answers matched by text: 0 of 4, 0.0 %");
  const std::string csv = Get(Path("eval.csv"));
  EXPECT_EQ(csv.rfind("line,tokens,loss,perplexity,matched,answer\n1,1,", 0), 0u) << csv;
  EXPECT_NE(csv.find("\n4,1,"), std::string::npos) << csv;
}

TEST_F(CommandEval, ReadsAText) {
  Put(Path("short.txt"), std::string(100, 'a'));
  const nlohmann::json json = Json({"--text", Path("short.txt"), "--length", "24"});
  EXPECT_EQ(json.at("tokens"), 99);
  EXPECT_EQ(json.at("samples"), 5);
  EXPECT_EQ(Json({"--text", Path("short.txt"), "--length", "24", "--limit", "2"}).at("tokens"), 48);
  // Plain text as a sample: the same tokens, and the end.
  Put(Path("text.jsonl"), R"({"text":")" + std::string(24, 'a') + "\"}\n");
  EXPECT_EQ(Json({"--data", Path("text.jsonl"), "--length", "64"}).at("tokens"), 24);
}

TEST_F(CommandEval, RefusesWhatDoesNotFit) {
  const std::string held = Path("held.jsonl"), text = Path("text.txt");
  PutHeldOut();
  ExpectFails(2, Eval({}), "expected one of --data and --text");
  ExpectFails(2, Eval({"--data", held, "--text", text}), "expected one of --data and --text");
  ExpectFails(2, Eval({"--text", text, "--match", "text"}), "--match needs --data, whose samples ask something");
  ExpectFails(2, Eval({"--data", held, "--match", "most"}),
              "expected --match to be one of number, text, none, found 'most'");
  ExpectFails(1, Eval({"--data", held, "--length", "5"}),
              held + ": expected at least 1 sample with an answer within 5 tokens, found 0");
  ExpectFails(1, Eval({"--data", held, "--csv", held}), "is an input, of --data; expected another file");
  ExpectFails(1, Eval({"--data", held, "--csv", Path("a"), "--json", Path("a")}), "name the same file");
}

TEST_F(CommandEval, SftReadsSeveralFilesOfSeveralKinds) {
  PutHeldOut();
  std::string texts;
  for (int i = 0; i < 8; ++i)
    texts += R"({"text":"Birds sing."})"
             "\n";
  Put(Path("texts.jsonl"), texts);
  const std::string files = Path("pairs.jsonl") + "," + Path("texts.jsonl");
  const Words sft = {"sft", "--model", Path("base"), "--data", files, "--valid", Path("held.jsonl"), "--steps", "2"};
  const Result result = ExpectRuns(Join(sft, {"--out", Path("several"), "--no-mask"}));
  EXPECT_EQ(Lines(result.out).front().rfind("68 samples to train on, 10 held out; ", 0), 0u) << result.out;
  ExpectFails(2, {"sft", "--model", Path("base"), "--data", files + ",", "--out", Path("new")},
              "expected --data to be a list without empty items, found '" + files + ",'");
  ExpectFails(1, Join(sft, {"--out", Path("new"), "--log", Path("texts.jsonl")}), "is an input, of --data");
  ExpectFails(1, Join(sft, {"--out", Path("new"), "--log", Path("held.jsonl")}), "is an input, of --valid");
}

// Packed rows are learned as the samples that they hold: one row of everything, as a batch of everything.
TEST_F(CommandEval, APackedStepIsThatOfItsSamples) {
  std::string lines;
  for (int i = 0; i < 6; ++i) lines += R"({"prompt":"p","completion":")" + std::string(i + 1, 'c') + "\"}\n";
  Put(Path("few.jsonl"), lines);
  const auto log = [&](const std::string& name, const Words& more) {
    ExpectRuns(Join({"sft", "--model", Path("base"), "--data", Path("few.jsonl"), "--valid", Path("few.jsonl"),
                     "--steps", "1", "--method", "full", "--out", Path(name), "--log", Path(name + ".log")},
                    more));
    return Log(name + ".log").at(0);
  };
  const nlohmann::json padded = log("padded", {"--batch", "6"}), packed = log("packed", {"--batch", "1", "--pack"});
  for (const char* key : {"loss", "grad_norm"}) {
    EXPECT_NEAR(packed.at(key).get<double>(), padded.at(key).get<double>(), 1e-5) << key;
  }
}

}  // namespace
}  // namespace ampgrad::train
