#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tests/support/command_line.h"
#include "tests/support/golden.h"

/// The program on Llama directories, and on part of a model.
namespace ampgrad::train {
namespace {

#ifdef AMPGRAD_SHARED_DIR
// The text that other programs generate without a prompt, word for word.
TEST_F(CommandLine, GeneratePrintsTheReferenceText) {
  for (const fs::path& model : {kStories, Shared("golden/gguf-stories/model.gguf")}) {
    for (const char* threads : {"1", "3"}) {
      const Result result = ExpectRuns({"generate", "--model", model.string(), "--threads", threads});
      EXPECT_EQ(result.out, Get(kStories / "greedy.txt"));
      EXPECT_EQ(Sentences(result), Words{});
    }
  }
}

TEST_F(CommandLine, GenerateReadsHalfWidthWeights) {
  fs::create_directory(Path("half"));
  for (const char* name : {"config.json", "tokenizer.json"}) Put(Path("half") / fs::path(name), Get(kStories / name));
  const io::SafetensorsReader reader(kStories / "model.safetensors");
  std::vector<io::NamedTensor> tensors;
  for (const auto& entry : reader.header().entries) tensors.push_back({entry.name, reader.ReadReal(entry.name)});
  io::WriteSafetensors(Path("half/model.safetensors"), tensors, {{"format", "pt"}}, StoredType::kBf16);
  const Words generate = {"generate", "--model", Path("half"), "--prompt", "Once upon a time", "--tokens", "60"};
  const Result result = ExpectRuns(generate);
  EXPECT_EQ(Sentences(result), Words{});
  EXPECT_TRUE(result.out.starts_with("Once upon a time, there was a little ")) << result.out;
  EXPECT_EQ(ExpectRuns(Join(generate, {"--threads", "3"})).out, result.out);
}

#endif  // AMPGRAD_SHARED_DIR

// A prompt is a text to go on with: what the tokenizer puts behind a text, its end, stays away.
TEST_F(CommandLine, GenerateGoesOnWithAPrompt) {
  const Words generate = {"generate", "--model", Path("base"), "--prompt", "Once upon", "--tokens", "12"};
  const std::string before = ExpectRuns(generate).out;
  nlohmann::json tokenizer = nlohmann::json::parse(Get(Path("base/tokenizer.json")));
  tokenizer["post_processor"] = nlohmann::json::parse(R"({"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "Ā", "type_id": 0}}],
      "special_tokens": {"Ā": {"id": "Ā", "ids": [0], "tokens": ["Ā"]}}})");
  Put(Path("base/tokenizer.json"), tokenizer.dump());
  EXPECT_EQ(ExpectRuns(generate).out, before);
}

TEST_F(CommandLine, GenerateStopsAtTheTokensOfGenerationConfig) {
  const Words generate = {"generate", "--model", Path("base"), "--prompt", "Once", "--tokens", "40"};
  const std::string all = ExpectRuns(generate).out;
  const char end = all[8];
  Put(Path("base/generation_config.json"), R"({"eos_token_id": )" + std::to_string(static_cast<int>(end)) + "}");
  EXPECT_EQ(ExpectRuns(generate).out, all.substr(0, all.find(end, 4)) + "\n");
}

// Every choice of what trains, on a GPT in F32 and on a made-up Llama in BF16.
TEST_F(CommandLine, CheckpointedRunsWriteTheSameBytes) {
  ExpectRuns({"synth", "--preset", "tiny", "--out", Path("llama")});
  const std::vector<Words> ways = {{"--method", "full"},
                                   {"--method", "amplitude", "--k", "4"},
                                   {"--k", "4", "--start", "reconstructed", "--chain", "explicit"},
                                   {"--method", "full", "--layers", "last:1", "--train", "head"},
                                   {"--k", "4", "--layers", "0"}};
  for (const std::string model : {"base", "llama"}) {
    for (size_t i = 0; i < ways.size(); ++i) {
      const std::string out = model + std::to_string(i);
      const Words sft = Join({"sft", "--model", Path(model), "--data", Path("pairs.jsonl"), "--length", "48", "--batch",
                              "2", "--steps", "3"},
                             ways[i]);
      const auto run = [&](const std::string& name, const Words& more) {
        ExpectRuns(Join(Join(sft, {"--out", Path(name)}), more));
        return Get(Path(name + "/model.safetensors"));
      };
      const std::string plain = run(out, {});
      EXPECT_TRUE(run(out + "c", {"--checkpoint"}) == plain) << model << " " << ::testing::PrintToString(ways[i]);
      EXPECT_FALSE(plain == Get(Path(model + "/model.safetensors")));
    }
  }
}

TEST_F(CommandLine, SftNamesWrongLayers) {
  ExpectFails(1, Sft("new", 1, {"--layers", "2"}), "--layers 2: expected layers 0 to 1, as the model has");
  ExpectFails(1, Sft("new", 1, {"--layers", "last:3"}), "--layers last:3: the model has 2 layers");
  ExpectFails(2, Sft("new", 1, {"--layers", "1-0"}), "--layers: expected all, last:N, A-B or A, found '1-0'");
  ExpectFails(2, Sft("new", 1, {"--train", "tail"}), "expected --train to be one of head, found 'tail'");
}

}  // namespace
}  // namespace ampgrad::train
