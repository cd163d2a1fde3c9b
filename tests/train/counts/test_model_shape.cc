#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "models/synth.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"
#include "train/counts/counts.h"
#include "train/counts/model_shape.h"

/// The shapes that are counted: those that are public, and those that a config.json describes.
namespace ampgrad::train {
namespace {

Index UniqueOf(const ModelShape& shape) { return CountModel(shape, ct::RowsPolicy::kBlocks, {}).Unique(); }

void PutConfig(const TempDir& dir, const std::string& text) { std::ofstream(dir.path() / "config.json") << text; }

// What the models' own papers and cards say, to the last parameter.
TEST(ModelShape, PresetsHaveTheirPublishedParameters) {
  EXPECT_EQ(UniqueOf(PresetShape("photonic")), 10'291'456);
  EXPECT_EQ(UniqueOf(PresetShape("gpt2")), 124'439'808);
  EXPECT_EQ(UniqueOf(PresetShape("gpt2-xl")), 1'557'611'200);
  EXPECT_EQ(UniqueOf(PresetShape("tinyllama")), 1'100'048'384);
  EXPECT_EQ(UniqueOf(PresetShape("llama-7b")), 6'738'415'616);
  EXPECT_EQ(UniqueOf(PresetShape("llama-13b")), 13'015'864'320);
  EXPECT_EQ(UniqueOf(PresetShape("llama-70b")), 68'976'648'192);
}

TEST(ModelShape, EveryPresetIsListed) {
  for (const std::string& name : ShapePresets()) EXPECT_EQ(PresetShape(name).name, name);
  ExpectMessage<std::invalid_argument>(
      [] { PresetShape("huge"); },
      "[counts] expected a preset of photonic, gpt2, gpt2-xl, tinyllama, llama-7b, llama-13b, llama-70b, found 'huge'");
}

TEST(ModelShape, ConfigIsEnough) {
  const TempDir dir;
  for (const std::string name : {"gpt2", "tinyllama"}) {
    PutConfig(dir, models::SynthPreset(name).config);
    const ModelShape read = ReadShape(dir.path()), preset = PresetShape(name);
    EXPECT_EQ(UniqueOf(read), UniqueOf(preset)) << name;
    EXPECT_EQ(read.family, preset.family);
    EXPECT_EQ(read.tied, preset.tied);
    EXPECT_EQ(read.has_masks, preset.has_masks);
    EXPECT_EQ(read.inner, preset.inner);
    EXPECT_EQ(read.kv_heads, preset.kv_heads);
  }
}

TEST(ModelShape, RefusesWhatCannotBeCounted) {
  const TempDir dir;
  const std::string file = (dir.path() / "config.json").string();
  const auto refused = [&](const std::string& message) {
    ExpectMessage<std::runtime_error>([&] { ReadShape(dir.path()); }, message);
  };
  refused(file + ": no such file");
  PutConfig(dir, R"({"model_type":"bert"})");
  refused(file + R"(: expected model_type to be "gpt2" or "llama", found "bert")");
  PutConfig(dir, R"({"model_type":"gpt2","n_positions":2147483647})");  // masks of 12 · 2⁶² numbers
  refused(file + ": expected a model of at most 1e15 numbers, found 5.53e+19");
  // 2 · 2³¹ · 2²⁰ of the vocabulary, 32 · (4 · 2⁴⁰ + 3 · 2²⁰ · 11,008) of the blocks
  PutConfig(dir, R"({"model_type":"llama","vocab_size":2147483647,"hidden_size":1048576})");
  refused(file + ": expected a model of at most 1e15 numbers, found 4.65e+15");
  const std::string missing = (dir.path() / "none").string();
  ExpectMessage<std::runtime_error>([&] { ReadShape(missing); }, missing + ": no such model directory or GGUF file");
}

}  // namespace
}  // namespace ampgrad::train
