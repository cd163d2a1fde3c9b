#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/files/safetensors_files.h"
#include "tensor/kernels/kernels.h"
#include "tests/support/saved_model.h"
#include "train/demo/sweep.h"

/// Llama's Hugging Face directories, and what directories of both families have in common.
namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::unique_ptr<Llama> StorableLlama(bool tied = false) {
  auto model = LittleLlama(9, tied);
  RoundToFloat(*model);
  return model;
}

// A saved Llama.
class SavedLlama : public SavedModel {
 public:
  explicit SavedLlama(bool tied = false) : SavedModel(StorableLlama(tied)) {}
};

TEST(LlamaDirectory, LoadsWhatItSaved) {
  for (const bool tied : {true, false}) {
    SavedLlama saved(tied);
    ExpectEqualModels(*saved.Load(), saved.model());
    const std::vector<int> ids = RandomIds(8, 23, 1);
    EXPECT_TRUE(SameBits(LogitsOf(*saved.Load(), ids, 8), LogitsOf(saved.model(), ids, 8)));
  }
}

TEST(LlamaDirectory, NamesTensorsAsHuggingFaceDoes) {
  const std::map<std::string, Tensor> tied = SavedLlama(true).Tensors(), untied = SavedLlama(false).Tensors();
  EXPECT_EQ(tied.size(), 1u + 2 * 9 + 1);
  EXPECT_FALSE(tied.contains("lm_head.weight"));
  EXPECT_EQ(untied.size(), tied.size() + 1);
  const std::string block = "model.layers.1.";
  const std::map<std::string, Shape> expected = {{"model.embed_tokens.weight", {23, 16}},
                                                 {block + "input_layernorm.weight", {16}},
                                                 {block + "self_attn.q_proj.weight", {16, 16}},
                                                 {block + "self_attn.k_proj.weight", {8, 16}},
                                                 {block + "self_attn.v_proj.weight", {8, 16}},
                                                 {block + "self_attn.o_proj.weight", {16, 16}},
                                                 {block + "post_attention_layernorm.weight", {16}},
                                                 {block + "mlp.gate_proj.weight", {24, 16}},
                                                 {block + "mlp.up_proj.weight", {24, 16}},
                                                 {block + "mlp.down_proj.weight", {16, 24}},
                                                 {"model.norm.weight", {16}},
                                                 {"lm_head.weight", {23, 16}}};
  for (const auto& [name, shape] : expected) {
    ASSERT_TRUE(untied.contains(name)) << name;
    EXPECT_EQ(untied.at(name).shape(), shape) << name;
  }
}

TEST(LlamaDirectory, KeepsBiasesWideHeadsAndScaledRotation) {
  LlamaConfig config = LittleLlamaConfig();
  config.head_dim = 6;
  config.attention_bias = true;
  config.mlp_bias = true;
  config.rope = {RopeConfig::Type::kLlama3, 500000, 8, 1, 4, 64};
  auto model = std::make_unique<Llama>(config);
  Randomise(*model, 9);
  RoundToFloat(*model);
  SavedModel saved(std::move(model));
  EXPECT_EQ(saved.Config()["rope_theta"], 500000.0);
  EXPECT_EQ(saved.Config()["rope_scaling"], Json({{"rope_type", "llama3"},
                                                  {"factor", 8.0},
                                                  {"low_freq_factor", 1.0},
                                                  {"high_freq_factor", 4.0},
                                                  {"original_max_position_embeddings", 64}}));
  EXPECT_EQ(saved.Tensors().at("model.layers.0.self_attn.k_proj.bias").shape(), Shape({12}));
  ExpectEqualModels(*saved.Load(), saved.model());
  const std::vector<int> ids = RandomIds(8, 23, 1);
  EXPECT_TRUE(SameBits(LogitsOf(*saved.Load(), ids, 8), LogitsOf(saved.model(), ids, 8)));
}

// ---- Half width

TEST(LlamaDirectory, KeepsHalfWidthMatrices) {
  for (const bool tied : {true, false}) {
    auto model = StorableLlama(tied);
    HoldAtHalfWidth(*model);
    for (Param* vector : model->Parts().vectors) vector->value.Fill(1.5);  // which BF16 holds
    SavedModel saved(std::move(model));
    EXPECT_EQ(saved.Config()["torch_dtype"], "bfloat16");
    const auto loaded = saved.Load();
    const SafetensorsFiles weights(saved.path());
    for (const nn::Matrix* matrix : loaded->Parts().matrices) {
      EXPECT_FALSE(matrix->HasParameters()) << matrix->name;
      const std::string stored = matrix->name == "lm_head.weight" ? matrix->name : "model." + matrix->name;
      const StoredTensor a = matrix->form->Merged(), b = FindMatrix(saved.model(), matrix->name)->form->Merged();
      EXPECT_EQ(weights.ReadStored(stored).type(), StoredType::kBf16) << stored;
      EXPECT_EQ(a.type(), StoredType::kBf16) << stored;
      ASSERT_EQ(a.shape(), b.shape());
      EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0);
    }
    ExpectEqualModels(*loaded, saved.model());
    const std::vector<int> ids = RandomIds(8, 23, 1);
    EXPECT_TRUE(SameBits(LogitsOf(*loaded, ids, 8), LogitsOf(saved.model(), ids, 8)));
    const TempDir again;
    SaveModel(again.path(), *loaded, Tokenizer::Bytes());
    for (const char* file : {"model.safetensors", "config.json"}) {
      EXPECT_TRUE(Get(again.path() / file) == Get(saved.path() / file)) << file;
    }
  }
}

// Norms of a BF16 file are read in Real, and written as F32, which holds them exactly.
TEST(LlamaDirectory, WidensTheNormsOfAHalfWidthFile) {
  SavedLlama saved;
  const std::map<std::string, Tensor> tensors = saved.Tensors();
  saved.SetTensors(tensors, StoredType::kBf16);
  const auto loaded = saved.Load();
  for (const Param* vector : loaded->Parts().vectors) {
    const Tensor& before = tensors.at("model." + vector->name);
    for (Index i = 0; i < before.size(); ++i) {
      EXPECT_EQ(vector->value[i], Widen(ToBf16(static_cast<float>(before[i])))) << vector->name;
    }
  }
  const TempDir again;
  SaveModel(again.path(), *loaded, Tokenizer::Bytes());
  ExpectEqualModels(*LoadModel(again.path()), *loaded);
}

TEST(LlamaDirectory, IsDenseOnceAllOfItTrains) {
  auto model = StorableLlama();
  HoldAtHalfWidth(*model);
  SavedModel saved(std::move(model));
  const auto loaded = saved.Load();
  train::Prepare(*loaded, {});
  const TempDir again;
  SaveModel(again.path(), *loaded, Tokenizer::Bytes());
  const SafetensorsFiles weights(again.path());
  for (const std::string& name : weights.Names()) EXPECT_EQ(weights.ReadStored(name).type(), StoredType::kF32) << name;
  EXPECT_EQ(Json::parse(Get(again.path() / "config.json"))["torch_dtype"], "float32");
  const std::vector<int> ids = RandomIds(8, 23, 1);
  EXPECT_TRUE(SameBits(LogitsOf(*LoadModel(again.path()), ids, 8), LogitsOf(saved.model(), ids, 8)));
}

TEST(LlamaDirectory, RefusesHalfWidthNumbersThatAreNotFinite) {
  SavedLlama saved;
  saved.SetTensors(saved.Tensors(), StoredType::kBf16);
  const io::SafetensorsReader reader(saved.path() / "model.safetensors");
  const io::TensorEntry last = reader.header().entries.back();
  std::string bytes = Get(saved.path() / "model.safetensors");
  bytes.replace(bytes.size() - 2, 2, std::string("\xC0\x7F"));  // a quiet NaN
  Put(saved.path() / "model.safetensors", bytes);
  const std::string message = saved.Error();
  EXPECT_TRUE(message.starts_with("D/model.safetensors: tensor \"" + last.name + "\" of shape ")) << message;
  EXPECT_NE(message.find(" holds NaN at index "), message.npos) << message;
}

// ---- Configs that contradict the file

TEST(LlamaDirectory, MissingFieldsTakeDefaultsThatTheShapesContradict) {
  const auto error = [](const char* key) {
    SavedLlama saved;
    saved.ChangeConfig([&](Json& config) { config.erase(key); });
    return saved.Error();
  };
  const std::string file = "D/model.safetensors: ";
  EXPECT_EQ(error("vocab_size"), file + "expected embed_tokens.weight of shape [32000, 16], found [23, 16]");
  EXPECT_EQ(error("hidden_size"), file + "expected embed_tokens.weight of shape [23, 4096], found [23, 16]");
  EXPECT_EQ(error("intermediate_size"),
            file + "expected layers.0.mlp.gate_proj.weight of shape [11008, 16], found [24, 16]");
  EXPECT_EQ(error("num_hidden_layers"), file + "the tensor layers.2.self_attn.q_proj.weight is missing");
  EXPECT_EQ(error("num_attention_heads"),
            file + "expected layers.0.self_attn.q_proj.weight of shape [128, 16], found [16, 16]");
  EXPECT_EQ(error("num_key_value_heads"),
            file + "expected layers.0.self_attn.k_proj.weight of shape [16, 16], found [8, 16]");
  EXPECT_EQ(error("model_type"), "D/config.json: expected model_type to be \"gpt2\" or \"llama\", found nothing");
  for (const char* key : {"head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling",
                          "hidden_act", "attention_bias", "mlp_bias", "tie_word_embeddings", "bos_token_id",
                          "eos_token_id", "torch_dtype", "architectures"}) {
    EXPECT_EQ(error(key), "") << key;
  }
}

TEST(LlamaDirectory, NamesTheFileOfAWrongField) {
  SavedLlama saved;
  saved.ChangeConfig([](Json& config) { config["eos_token_id"] = 23; });
  EXPECT_EQ(saved.Error(), "D/config.json: expected eos_token_id below vocab_size, found 23 of 23");
  saved.ChangeConfig([](Json& config) {
    config["eos_token_id"] = 2;
    config["rope_scaling"] = {{"type", "yarn"}, {"factor", 2}};
  });
  EXPECT_EQ(saved.Error(),
            "D/config.json: expected rope_scaling.type to be \"default\", \"linear\" or \"llama3\", found \"yarn\"");
}

// The same settings of the rotation in either form give the same logits.
TEST(LlamaDirectory, OldAndLaterFormOfRotationsGiveTheSameBits) {
  SavedLlama saved;
  const std::vector<int> ids = RandomIds(12, 23, 1);
  const Tensor plain = LogitsOf(*saved.Load(), ids, 12);
  const Json scaling = {{"rope_type", "llama3"}, {"factor", 8}, {"original_max_position_embeddings", 64}};
  saved.ChangeConfig([&](Json& config) {
    config["rope_theta"] = 500;
    config["rope_scaling"] = scaling;
  });
  const Tensor old_form = LogitsOf(*saved.Load(), ids, 12);
  saved.ChangeConfig([&](Json& config) {
    config.erase("rope_theta");
    config.erase("rope_scaling");
    config["rope_parameters"] = scaling;
    config["rope_parameters"]["rope_theta"] = 500;
  });
  EXPECT_TRUE(SameBits(LogitsOf(*saved.Load(), ids, 12), old_form));
  EXPECT_FALSE(SameBits(plain, old_form));
}

TEST(LlamaDirectory, RefusesOtherNumbersOfLayers) {
  SavedLlama fewer;  // than the file has
  fewer.ChangeConfig([](Json& config) { config["num_hidden_layers"] = 1; });
  EXPECT_EQ(
      fewer.Error(),
      "D/model.safetensors: the tensor \"model.layers.1.input_layernorm.weight\" belongs to no part of the model that "
      "its configuration describes");
  SavedLlama more;
  more.ChangeConfig([](Json& config) { config["num_hidden_layers"] = 3; });
  EXPECT_EQ(more.Error(), "D/model.safetensors: the tensor layers.2.self_attn.q_proj.weight is missing");
}

TEST(LlamaDirectory, RefusesOtherShapes) {
  const auto error = [](const std::string& key, Index value) {
    SavedLlama saved;
    saved.ChangeConfig([&](Json& config) { config[key] = value; });
    return saved.Error();
  };
  const std::string file = "D/model.safetensors: ";
  EXPECT_EQ(error("vocab_size", 24), file + "expected embed_tokens.weight of shape [24, 16], found [23, 16]");
  EXPECT_EQ(error("num_key_value_heads", 4),
            file + "expected layers.0.self_attn.k_proj.weight of shape [16, 16], found [8, 16]");
  EXPECT_EQ(error("head_dim", 2), file + "expected layers.0.self_attn.q_proj.weight of shape [8, 16], found [16, 16]");
  EXPECT_EQ(error("intermediate_size", 25),
            file + "expected layers.0.mlp.gate_proj.weight of shape [25, 16], found [24, 16]");
  SavedLlama transposed;
  transposed.ChangeTensors([](auto& tensors) {
    Tensor& w = tensors["model.layers.1.mlp.down_proj.weight"];
    w = kernels::Transposed(w);
  });
  EXPECT_EQ(transposed.Error(), file + "expected layers.1.mlp.down_proj.weight of shape [16, 24], found [24, 16]");
}

TEST(LlamaDirectory, RefusesMissingTensors) {
  SavedLlama saved;
  const std::map<std::string, Tensor> all = saved.Tensors();
  for (const auto& [name, value] : all) {
    std::map<std::string, Tensor> rest = all;
    rest.erase(name);
    saved.SetTensors(rest);
    const std::string own = name == "lm_head.weight" ? name : name.substr(6);
    EXPECT_EQ(saved.Error(), "D/model.safetensors: the tensor " + own + " is missing");
  }
}

// A bias that the config denies, and a missing bias that the config asks for.
TEST(LlamaDirectory, RefusesBiasesThatTheConfigDenies) {
  SavedLlama saved;
  saved.ChangeTensors([](auto& tensors) { tensors["model.layers.0.self_attn.q_proj.bias"] = Tensor({16}); });
  EXPECT_EQ(
      saved.Error(),
      "D/model.safetensors: the tensor \"model.layers.0.self_attn.q_proj.bias\" belongs to no part of the model that "
      "its configuration describes");
  SavedLlama without;
  without.ChangeConfig([](Json& config) { config["attention_bias"] = true; });
  EXPECT_EQ(without.Error(), "D/model.safetensors: the tensor layers.0.self_attn.q_proj.bias is missing");
}

TEST(LlamaDirectory, ATiedModelTakesNoOtherHead) {
  SavedLlama saved(true);
  saved.ChangeTensors([](auto& tensors) { tensors["lm_head.weight"] = Random(1, 1).NormalTensor({23, 16}, 1); });
  EXPECT_EQ(saved.Error(),
            "D/model.safetensors: expected lm_head.weight to be equal to embed_tokens.weight, as "
            "config.json has tie_word_embeddings = true, found other numbers");
  saved.ChangeTensors([](auto& tensors) { tensors["lm_head.weight"] = Tensor({7, 5}); });
  EXPECT_EQ(saved.Error(), "D/model.safetensors: expected lm_head.weight of shape [23, 16], found [7, 5]");
  saved.ChangeTensors([](auto& tensors) { tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]; });
  ExpectEqualModels(*saved.Load(), saved.model());
}

TEST(LlamaDirectory, AnUntiedModelNeedsItsHead) {
  SavedLlama saved(true);
  saved.ChangeConfig([](Json& config) { config["tie_word_embeddings"] = false; });
  EXPECT_EQ(saved.Error(), "D/model.safetensors: the tensor lm_head.weight is missing");
  saved.ChangeConfig([](Json& config) { config.erase("tie_word_embeddings"); });  // Llama's default
  EXPECT_EQ(saved.Error(), "D/model.safetensors: the tensor lm_head.weight is missing");
}

TEST(LlamaDirectory, NamesWithAndWithoutPrefixLoadEqual) {
  for (const bool tied : {true, false}) {
    SavedLlama saved(tied);
    saved.ChangeTensors([](auto& tensors) { tensors = WithoutPrefix(tensors, "model."); });
    ASSERT_TRUE(saved.Tensors().contains("embed_tokens.weight"));
    ExpectEqualModels(*saved.Load(), saved.model());
  }
}

TEST(LlamaDirectory, RefusesAMixtureOfNames) {
  const std::string message =
      "D/model.safetensors: expected all tensor names with the prefix model. or none, found both";
  SavedLlama saved;
  saved.ChangeTensors([](auto& tensors) {
    tensors["norm.weight"] = tensors["model.norm.weight"];
    tensors.erase("model.norm.weight");
  });
  EXPECT_EQ(saved.Error(), message);
  SavedLlama twice;
  twice.ChangeTensors([](auto& tensors) { tensors["norm.weight"] = tensors["model.norm.weight"]; });
  EXPECT_EQ(twice.Error(), message);
}

// Older files also hold the frequencies, which follow from the config.
TEST(LlamaDirectory, IgnoresFrequenciesOfAnyType) {
  for (const bool prefixed : {true, false}) {
    for (const auto& [dtype, width] : {std::pair{"F32", 4}, std::pair{"BOOL", 1}, std::pair{"U8", 1}}) {
      SavedLlama saved;
      if (!prefixed) saved.ChangeTensors([](auto& tensors) { tensors = WithoutPrefix(tensors, "model."); });
      // Of each layer or, since version 4.43 of Hugging Face's library, shared by all.
      for (const std::string place : {"layers.0.self_attn.", "layers.1.self_attn.", ""}) {
        saved.AppendTensor((prefixed ? "model." : "") + place + "rotary_emb.inv_freq", dtype, {2},
                           std::string(static_cast<size_t>(2 * width), '\1'));
      }
      ExpectEqualModels(*saved.Load(), saved.model());
    }
  }
}

// A buffer is recognised by its whole name.
TEST(LlamaDirectory, RefusesNamesLikeThoseOfBuffers) {
  SavedLlama saved;
  saved.ChangeTensors([](auto& tensors) { tensors["model.layers.0.self_attn.rotary_emb.inv_freqs"] = Tensor({2}); });
  EXPECT_EQ(
      saved.Error(),
      "D/model.safetensors: the tensor \"model.layers.0.self_attn.rotary_emb.inv_freqs\" belongs to no part of the "
      "model that its configuration describes");
}

}  // namespace
}  // namespace ampgrad::models
