#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/command_line.h"
#include "tests/support/golden.h"

/// Data of many makes, from the file to the loss and the plan of memory.
namespace ampgrad::train {
namespace {

std::string Repeat(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

#ifdef AMPGRAD_SHARED_DIR

/// stories260K, whose tokens 510 and 511 are ChatML's.
class CommandData : public CommandLine {
 protected:
  void SetUp() override {
    fs::create_directory(Path("stories"));
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy(kStories / name, dir() / "stories" / name);
    }
    nlohmann::json json = nlohmann::json::parse(Get(kStories / "tokenizer.json"));
    nlohmann::json& vocab = json["model"]["vocab"];
    for (const char* unused : {"~", "\xE2\x80\x8A"}) {
      const int id = vocab.at(unused);
      const char* const content = id == 510 ? "<|im_start|>" : "<|im_end|>";
      vocab.erase(unused);
      vocab[content] = id;
      json["added_tokens"].push_back({{"id", id},
                                      {"content", content},
                                      {"single_word", false},
                                      {"lstrip", false},
                                      {"rstrip", false},
                                      {"normalized", false},
                                      {"special", true}});
    }
    Put(dir() / "stories" / "tokenizer.json", json.dump());
  }

  /// The loss of a step on samples that are all this one.
  double Loss(const std::string& line) { return LossOfFile(Repeat(6, line)); }
  double LossOfFile(const std::string& bytes) {
    const std::string name = "run" + std::to_string(runs_++);
    Put(Path(name + ".jsonl"), bytes);
    ExpectRuns({"sft", "--model", Path("stories"), "--data", Path(name + ".jsonl"), "--template", "chatml", "--method",
                "full", "--lr", "0", "--steps", "1", "--length", "128", "--out", Path(name), "--log",
                Path(name + ".log")});
    return Log(name + ".log").at(0).at("loss");
  }

 private:
  int runs_ = 0;
};

// The losses were computed in float64 by a program that shares nothing with this one.
TEST_F(CommandData, AnAnswerOfWeightZeroIsNotInTheLoss) {
  const auto line = [](const std::string& mark) {
    return R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is a cat?"},)"
           R"({"role": "assistant", "content": "A big red dog.")" +
           mark + R"(}, {"role": "user", "content": "No. Try again."},)" +
           R"({"role": "assistant", "content": "A little pet."}]})";
  };
  EXPECT_NEAR(Loss(line("")), 6.378734, 5e-6);
  EXPECT_NEAR(Loss(line(R"(, "weight": 0)")), 7.477690, 5e-6);
  EXPECT_NEAR(Loss(line(R"(, "train": false)")), 7.477690, 5e-6);
}

TEST_F(CommandData, ASystemColumnIsInTheConversation) {
  const std::string turn =
      R"("conversations": [{"from": "human", "value": "What is a cat?"}, {"from": "gpt", "value": "A little pet."}]})";
  EXPECT_NEAR(Loss(R"({"system": "Be brief.", )" + turn), 7.186848, 5e-6);
  EXPECT_NEAR(Loss("{" + turn), 7.312033, 5e-6);
  EXPECT_NEAR(Loss(R"({"system": "Be brief.", "prompt": "What is a cat?", "completion": "A little pet."})"), 7.186848,
              5e-6);
}

TEST_F(CommandData, EverySpellingHasOneLoss) {
  for (const char* line : {
           R"({"conversations": [{"role": "user", "content": "hey"}, {"role": "assistant", "content": "yo"}]})",
           R"({"conversations": [{"from": "user", "value": "hey"}, {"from": "assistant", "value": "yo"}]})",
           R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "hey"}]},
                            {"role": "assistant", "content": [{"type": "text", "text": "yo"}]}]})",
           R"({"prompt": [{"role": "user", "content": "hey"}],
               "completion": [{"role": "assistant", "content": "yo"}]})",
       }) {
    const nlohmann::json json = nlohmann::json::parse(line);
    EXPECT_NEAR(Loss(json.dump()), 15.310969, 1e-5) << line;
    EXPECT_NEAR(LossOfFile(nlohmann::json::array({json, json, json}).dump(2)), 15.310969, 1e-5);
  }
}
#endif  // AMPGRAD_SHARED_DIR

class CommandMemory : public CommandLine {
 protected:
  void SetUp() override {
    CommandLine::SetUp();
    ExpectRuns({"synth", "--preset", "tiny", "--out", Path("llama")});
  }
  void SetContext(int context) const {
    nlohmann::json config = nlohmann::json::parse(Get(Path("llama/config.json")));
    config["max_position_embeddings"] = context;
    Put(Path("llama/config.json"), config.dump());
  }
  Words On(const std::string& out) const {
    return {"sft", "--model", Path("llama"), "--data", Path("pairs.jsonl"), "--batch", "4", "--steps", "1",
            "--k", "2",       "--out",       Path(out)};
  }
};

// The longest pair has 35 tokens beside its end; 4 sequences as long as the context would take 40 GB.
TEST_F(CommandMemory, IsPlannedFromTheLongestSample) {
  SetContext(1'000'000);
  const Result result = ExpectRuns(On("out"));
  EXPECT_NE(result.out.find("activations of 140 tokens"), std::string::npos) << result.out;
  const Result cut = ExpectRuns(Join(On("cut"), {"--length", "30"}));
  EXPECT_NE(cut.out.find("activations of 120 tokens"), std::string::npos) << cut.out;
}

TEST_F(CommandMemory, AContextOfOneTokenIsRefused) {
  SetContext(1);
  const std::string expected = "expected a model with a context of at least 2 tokens, as training takes, found 1";
  ExpectFails(1, On("out"), expected);
  ExpectFails(1, {"sweep", "--model", Path("llama"), "--data", Path("pairs.jsonl"), "--k", "2"}, expected);
}

TEST_F(CommandMemory, AFileThatIsNoTextIsNamed) {
  Put(Path("pairs.jsonl"), "\x1F\x8B\x08" + std::string(9, '\0'));
  ExpectFails(1, On("out"), Path("pairs.jsonl") + ": is gzip-compressed, expected UTF-8 text");
  ExpectFails(1, {"pretrain", "--preset", "nano", "--text", Path("pairs.jsonl"), "--steps", "1", "--out", Path("new")},
              Path("pairs.jsonl") + ": is gzip-compressed, expected UTF-8 text");
}

}  // namespace
}  // namespace ampgrad::train
