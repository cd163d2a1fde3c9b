#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ct/adapter/peft_writer.h"
#include "tensor/io/json.h"
#include "tests/ct/adapter/peft_cases.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// Adapters written for PEFT: what PEFT wrote, read and written once more, must be what PEFT wrote.
namespace ampgrad::ct {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// An adapter over a model, written into a directory of its own.
class Written {
 public:
  Written(models::LanguageModel& model, const LowRankAdapter& adapter) : model_(model) {
    WritePeftAdapter(directory_.path(), adapter,
                     {model.Parts(), model.CheckpointPrefix(), "somewhere/base", "# Card\n"});
  }
  fs::path path() const { return directory_.path(); }
  Json config() const { return io::ReadJsonObject(path() / "adapter_config.json"); }
  LowRankAdapter ReadBack() const { return Read(path(), model_); }

 private:
  models::LanguageModel& model_;
  TempDir directory_;
};

bool Same(const Tensor& a, const Tensor& b) { return a.empty() == b.empty() && (a.empty() || SameBits(a, b)); }

void ExpectSame(const LowRankAdapter& ours, const LowRankAdapter& theirs) {
  ASSERT_EQ(ours.updates.size(), theirs.updates.size());
  for (size_t i = 0; i < ours.updates.size(); ++i) {
    const MatrixUpdate &a = ours.updates[i], &b = theirs.updates[i];
    EXPECT_EQ(a.matrix, b.matrix);
    EXPECT_TRUE(Same(a.a, b.a) && Same(a.b, b.b) && Same(a.magnitude, b.magnitude)) << a.matrix;
    EXPECT_DOUBLE_EQ(a.scale, b.scale) << a.matrix;
  }
  ASSERT_EQ(ours.whole.size(), theirs.whole.size());
  for (size_t i = 0; i < ours.whole.size(); ++i) {
    EXPECT_EQ(ours.whole[i].name, theirs.whole[i].name);
    EXPECT_TRUE(Same(ours.whole[i].value, theirs.whole[i].value)) << ours.whole[i].name;
  }
}

TEST(PeftWriter, WhatIsWrittenIsReadBack) {
  for (const fs::path& directory : PeftCases()) {
    SCOPED_TRACE(directory.filename());
    const auto model = BaseOf(directory);
    const LowRankAdapter adapter = Read(directory, *model);
    ExpectSame(Written(*model, adapter).ReadBack(), adapter);
  }
}

// Names, order, shapes and numbers: the file that PEFT saved, to the byte, unless it has them in BF16.
TEST(PeftWriter, WritesTheTensorsOfPeft) {
  for (const fs::path& directory : PeftCases()) {
    if (directory.filename() == "llama-bf16") continue;
    const auto model = BaseOf(directory);
    const Written written(*model, Read(directory, *model));
    EXPECT_TRUE(Get(written.path() / "adapter_model.safetensors") == Get(directory / "adapter_model.safetensors"))
        << directory.filename();
  }
}

TEST(PeftWriter, WritesTheConfigurationOfPeft) {
  for (const fs::path& directory : PeftCases()) {
    SCOPED_TRACE(directory.filename());
    const auto model = BaseOf(directory);
    const Json ours = Written(*model, Read(directory, *model)).config();
    const Json theirs = io::ReadJsonObject(directory / "adapter_config.json");
    for (const char* key :
         {"peft_type", "task_type", "bias", "inference_mode", "lora_dropout", "init_lora_weights", "fan_in_fan_out"}) {
      EXPECT_EQ(ours.at(key), theirs.value(key, ours.at(key))) << key;
    }
    EXPECT_EQ(ours.at("base_model_name_or_path"), "somewhere/base");
    EXPECT_EQ(ours.value("use_dora", false), theirs.value("use_dora", false));
    const bool one_rank = theirs.value("rank_pattern", Json::object()).empty();
    const bool one_scale = one_rank && !theirs.value("use_rslora", false);
    EXPECT_TRUE(!one_rank || ours.at("r") == theirs.value("r", 8)) << ours.at("r");
    EXPECT_TRUE(!one_scale || ours.at("lora_alpha") == theirs.value("lora_alpha", 8)) << ours.at("lora_alpha");
  }
}

TEST(PeftWriter, NamesModulesAsShortAsItCan) {
  struct Names {
    const char* adapter;
    Json targets, layers, list, saved;
  };
  const Json none;
  const Names all[] = {
      {"gpt2-lora", {"attn.c_proj", "c_attn", "c_fc", "mlp.c_proj"}, none, none, none},
      {"gpt2-regex", {"c_fc", "mlp.c_proj"}, none, none, none},
      {"gpt2-layer", {"attn.c_proj", "c_attn"}, {1}, "h", none},
      {"gpt2-norms", {"attn.c_proj"}, none, none, {"ln_1", "ln_2", "transformer.ln_f"}},
      {"gpt2-positions", {"c_attn", "transformer.wpe"}, none, none, none},
      {"llama-layer", {"o_proj", "up_proj"}, {1}, "layers", none},
      {"llama-paths", {"model.layers.0.self_attn.k_proj", "model.layers.1.mlp.gate_proj"}, none, none, none},
      {"llama-head", {"lm_head", "v_proj"}, none, none, none},
      {"llama-norms", {"q_proj"}, none, none, {"input_layernorm", "model.norm", "post_attention_layernorm"}}};
  for (const Names& names : all) {
    SCOPED_TRACE(names.adapter);
    const fs::path directory = Golden(std::string("peft/") + names.adapter);
    const auto model = BaseOf(directory);
    const Json config = Written(*model, Read(directory, *model)).config();
    EXPECT_EQ(config.at("target_modules"), names.targets);
    EXPECT_EQ(config.at("layers_to_transform"), names.layers);
    EXPECT_EQ(config.at("layers_pattern"), names.list);
    EXPECT_EQ(config.at("modules_to_save"), names.saved);
  }
}

TEST(PeftWriter, EveryRankAndScaleIsKept) {
  const fs::path directory = Golden("peft/llama-patterns");  // ranks 2, 4, 3; rsLoRA, so most scales have a root
  const auto model = BaseOf(directory);
  const Json config = Written(*model, Read(directory, *model)).config();
  EXPECT_EQ(config.at("r"), 2);
  EXPECT_EQ(config.at("rank_pattern"), (Json{{"model.layers.0.mlp.down_proj", 4},
                                             {"model.layers.1.mlp.down_proj", 4},
                                             {"model.layers.1.self_attn.q_proj", 3}}));
  EXPECT_EQ(config.at("alpha_pattern").at("model.layers.1.mlp.down_proj"), 18);  // 9/√4·4
  EXPECT_FALSE(config.contains("use_rslora"));
}

TEST(PeftWriter, AlphaIsAnIntegerWhereItCanBe) {
  const auto model = BaseOf("llama-x");
  for (const Index rank : {1, 3, 7, 49, 64}) {
    for (const int alpha : {1, 7, 16, 128}) {
      const LowRankAdapter adapter{{{"layers.0.self_attn.q_proj.weight",
                                     Tensor({rank, 32}),
                                     Tensor({32, rank}),
                                     static_cast<double>(alpha) / static_cast<double>(rank),
                                     {}}},
                                   {}};
      const Json config = Written(*model, adapter).config();
      EXPECT_TRUE(config.at("lora_alpha").is_number_integer() && config.at("lora_alpha") == alpha)
          << alpha << "/" << rank;
    }
  }
}

TEST(PeftWriter, WritesTheCard) {
  const fs::path directory = Golden("peft/llama-layer");
  const auto model = BaseOf(directory);
  const Written written(*model, Read(directory, *model));
  EXPECT_EQ(FilesIn(written.path()),
            (std::vector<std::string>{"README.md", "adapter_config.json", "adapter_model.safetensors"}));
  EXPECT_EQ(Get(written.path() / "README.md"), "# Card\n");
}

// PEFT saves modules whole and wants an update: the rest of a module is the model's, the update zero.
TEST(PeftWriter, VectorsAloneAreAnAdapter) {
  const auto model = BaseOf("gpt2-x");
  Tensor bias = Tensor({96});
  bias.Fill(0.5);
  const LowRankAdapter read = Written(*model, {{}, {{"h.1.attn.c_attn.bias", bias}}}).ReadBack();
  ASSERT_EQ(read.whole.size(), 2u);
  EXPECT_EQ(read.whole[0].name, "h.1.attn.c_attn.weight");
  EXPECT_TRUE(SameBits(read.whole[0].value, FindMatrix(*model, "h.1.attn.c_attn.weight")->form->Merged().Widened()));
  EXPECT_TRUE(SameBits(read.whole[1].value, bias));
  ASSERT_EQ(read.updates.size(), 1u);
  EXPECT_EQ(read.updates[0].matrix, "h.0.attn.c_attn.weight");
  for (const Real x : read.updates[0].a) EXPECT_EQ(x, 0);
  for (const Real x : read.updates[0].b) EXPECT_EQ(x, 0);
}

TEST(PeftWriter, RefusesWhatPeftCannotHold) {
  const auto error = [](const char* base, const LowRankAdapter& adapter) {
    const auto model = BaseOf(base);
    return MessageOf({}, [&] { Written(*model, adapter); });
  };
  const Tensor a({1, 32}), b({32, 1}), m({32});
  const MatrixUpdate q{"layers.0.self_attn.q_proj.weight", a, b, 1, {}},
      o{"layers.0.self_attn.o_proj.weight", a, b, 1, m};
  EXPECT_EQ(error("llama-x", {{q, o}, {}}),
            "[export] PEFT cannot hold magnitudes of some matrices only: layers.0.self_attn.q_proj.weight and "
            "layers.0.self_attn.o_proj.weight differ");
  EXPECT_EQ(error("llama-x", {{{"embed_tokens.weight", a, Tensor({61, 1}), 1, Tensor({61})}}, {}}),
            "[export] PEFT cannot hold the magnitude of the embedding embed_tokens.weight");
  const std::string tied =
      "[export] PEFT cannot hold a change of wte.weight, which is the head of the model, too; merge "
      "the adapter";
  EXPECT_EQ(error("gpt2-x", {{{"wte.weight", a, Tensor({61, 1}), 1, {}}}, {}}), tied);
  EXPECT_EQ(error("gpt2-x", {{}, {{"wte.weight", Tensor({61, 32})}}}), tied);
  EXPECT_EQ(error("gpt2-x", {{{"h.0.attn.c_proj.weight", a, b, 1, {}}}, {{"h.0.attn.c_proj.bias", m}}}),
            "[export] PEFT cannot hold both an update of h.0.attn.c_proj.weight and other tensors of its module; merge "
            "the adapter");
  EXPECT_EQ(error("llama-x", {{{"h.0.attn.c_proj.weight", a, b, 1, {}}}, {}}),
            "[export] the model has no matrix h.0.attn.c_proj.weight");
  EXPECT_EQ(error("llama-x", {{q}, {{"ln_f.weight", m}}}), "[export] the model has no tensor ln_f.weight");
}

}  // namespace
}  // namespace ampgrad::ct
