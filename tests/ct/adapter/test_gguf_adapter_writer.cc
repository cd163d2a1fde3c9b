#include <gtest/gtest.h>

#include <string>

#include "ct/adapter/gguf_adapter_writer.h"
#include "models/llama.h"
#include "tests/ct/adapter/peft_cases.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

/// Adapters for llama.cpp, against files that llama.cpp reads as it should (tests/golden/gguf_lora).
namespace ampgrad::ct {
namespace {

// stories260K without its weights.
std::unique_ptr<models::LanguageModel> Stories() {
  models::LlamaConfig config;
  config.vocab_size = 512;
  config.hidden_size = 64;
  config.intermediate_size = 172;
  config.num_hidden_layers = 5;
  config.num_attention_heads = 8;
  config.num_key_value_heads = 4;
  config.tie_word_embeddings = true;
  return std::make_unique<models::Llama>(config);
}

std::string FileOf(const LowRankAdapter& adapter, const GgufTarget& target) {
  const TempDir directory;
  WriteGgufAdapter(directory.path() / "f", adapter, target);
  return Get(directory.path() / "f");
}

TEST(GgufAdapterWriter, WritesTheFilesThatLlamaCppReads) {
  const auto stories = Stories(), gpt2 = BaseOf("gpt2-x");
  EXPECT_TRUE(FileOf(Read(Golden("gguf_lora/stories"), *stories), {"llama", 8, 4}) ==
              Get(Golden("gguf_lora/stories/adapter.gguf")));
  EXPECT_TRUE(FileOf(Read(Golden("gguf_lora/gpt2"), *gpt2), {"gpt2", 4, 4}) ==
              Get(Golden("gguf_lora/gpt2/adapter.gguf")));
}

// llama.cpp computes alpha/r·B·A, with one alpha: a scale that this cannot give must stand in B.
TEST(GgufAdapterWriter, EveryScaleIsKept) {
  const auto stories = Stories();
  const LowRankAdapter adapter = Read(Golden("gguf_lora/stories"), *stories);
  LowRankAdapter scaled = adapter, folded = adapter;
  scaled.updates[1].scale = 3 * adapter.updates[1].scale;
  for (Real& x : folded.updates[1].b = folded.updates[1].b.Clone()) x *= 3;
  EXPECT_TRUE(FileOf(scaled, {"llama", 8, 4}) == FileOf(folded, {"llama", 8, 4}));
  EXPECT_FALSE(FileOf(scaled, {"llama", 8, 4}) == FileOf(adapter, {"llama", 8, 4}));
}

// To llama.cpp alpha = 0 means that there is none, and the scale is 1.
TEST(GgufAdapterWriter, AScaleOfZeroIsKept) {
  const auto stories = Stories();
  LowRankAdapter none = Read(Golden("gguf_lora/stories"), *stories);
  LowRankAdapter zero = none;
  for (MatrixUpdate& update : none.updates) update.scale = 0;
  for (MatrixUpdate& update : zero.updates) {
    update.scale = 1;
    update.b = update.b.Clone();
    for (Real& x : update.b) x *= 0;
  }
  EXPECT_TRUE(FileOf(none, {"llama", 8, 4}) == FileOf(zero, {"llama", 8, 4}));
}

TEST(GgufAdapterWriter, RefusesWhatLlamaCppCannotHold) {
  const auto error = [](const LowRankAdapter& adapter) {
    return MessageOf({}, [&] { FileOf(adapter, {"llama", 4, 2}); });
  };
  const auto dora = BaseOf("llama-dora"), norms = BaseOf("llama-norms"), embedding = BaseOf("llama-embedding");
  const std::string start = "[export] an adapter for llama.cpp cannot hold ";
  EXPECT_EQ(error(Read(Golden("peft/llama-dora"), *dora)),
            start + "magnitudes (DoRA) such as that of layers.0.self_attn.k_proj.weight; merge the adapter");
  EXPECT_EQ(error(Read(Golden("peft/llama-norms"), *norms)),
            start + "whole tensors such as layers.0.input_layernorm.weight; merge the adapter");
  EXPECT_EQ(error(Read(Golden("peft/llama-embedding"), *embedding)),
            start + "an update of embed_tokens.weight; merge the adapter");
  EXPECT_EQ(error({}), start + "no update at all; merge the adapter");
}

}  // namespace
}  // namespace ampgrad::ct
