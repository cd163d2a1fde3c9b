#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "nn/forms/frozen.h"
#include "tests/support/saved_model.h"

/// Hugging Face directories of models: what is written, what is read, what is refused and in which words.
namespace ampgrad::models {
namespace {

using Json = nlohmann::json;

// A saved GPT.
class Saved : public SavedModel {
 public:
  explicit Saved(bool tied = true) : SavedModel(StorableGpt(tied)) {}
  static std::unique_ptr<Gpt> StorableGpt(bool tied = true) {
    auto model = TinyGpt(9, tied);
    RoundToFloat(*model);
    return model;
  }
};

TEST(ModelDirectory, LoadsWhatItSaved) {
  for (const bool tied : {true, false}) {
    Saved saved(tied);
    ExpectEqualModels(*saved.Load(), saved.model());
    const std::vector<int> ids = RandomIds(8, 23, 1);
    EXPECT_TRUE(SameBits(LogitsOf(*saved.Load(), ids, 8), LogitsOf(saved.model(), ids, 8)));
    EXPECT_EQ(FilesIn(saved.path()), (std::vector<std::string>{"config.json", "model.safetensors", "tokenizer.json"}));
  }
}

// No safetensors type holds blocks: the file gets their numbers, and the model read from it computes the same.
TEST(ModelDirectory, SavesBlocksAsTheirNumbers) {
  const TempDir directory;
  GptConfig config = TinyConfig();
  config.n_embd = 32;  // every row is one or more blocks
  Gpt model(config);
  model.Initialise(9);
  for (nn::Matrix* matrix : model.Parts().matrices) {
    matrix->form =
        std::make_unique<nn::Frozen>(Rounded(matrix->form->Merged().Widened(), StoredType::kQ8_0), matrix->layout);
  }
  SaveModel(directory.path(), model, Tokenizer::Bytes());
  EXPECT_EQ(Json::parse(Get(directory.path() / "config.json"))["torch_dtype"], "float32");
  const auto loaded = LoadModel(directory.path());
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    const StoredTensor read = FindMatrix(*loaded, matrix->name)->form->Merged();
    EXPECT_EQ(read.type(), StoredType::kF32);
    EXPECT_TRUE(SameBits(read.Widened(), matrix->form->Merged().Widened())) << matrix->name;
  }
  const std::vector<int> ids = RandomIds(8, config.vocab_size, 1);
  EXPECT_TRUE(SameBits(LogitsOf(*loaded, ids, 8), LogitsOf(model, ids, 8)));
}

TEST(ModelDirectory, SavesMergedWeights) {
  const TempDir directory;
  const auto model = Saved::StorableGpt();
  const std::vector<ct::RowSource> sources =
      ct::SelectRows(model->Parts().matrices, model->width(), ct::RowsPolicy::kBlocks);
  ct::UseAmplitude(sources, std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, 3)), ct::Start::kReconstructed);
  SaveModel(directory.path(), *model, Tokenizer::Bytes());
  const auto loaded = LoadModel(directory.path());
  for (const nn::Matrix* matrix : model->Parts().matrices) {
    Tensor merged = matrix->form->Merged().Widened().Clone();
    for (Real& x : merged) x = static_cast<Real>(static_cast<float>(x));
    EXPECT_TRUE(SameBits(FindMatrix(*loaded, matrix->name)->form->Merged().Widened(), merged)) << matrix->name;
  }
}

TEST(ModelDirectory, NamesTensorsAsHuggingFaceDoes) {
  const std::map<std::string, Tensor> tied = Saved(true).Tensors(), untied = Saved(false).Tensors();
  EXPECT_EQ(tied.size(), 2u + 2 * 12 + 2);
  EXPECT_FALSE(tied.contains("lm_head.weight"));
  EXPECT_EQ(untied.size(), tied.size() + 1);
  EXPECT_EQ(untied.at("lm_head.weight").shape(), Shape({23, 16}));
  const std::string block = "transformer.h.1.";
  const std::map<std::string, Shape> expected = {{"transformer.wte.weight", {23, 16}},
                                                 {"transformer.wpe.weight", {12, 16}},
                                                 {block + "ln_1.weight", {16}},
                                                 {block + "ln_1.bias", {16}},
                                                 {block + "attn.c_attn.weight", {16, 48}},
                                                 {block + "attn.c_attn.bias", {48}},
                                                 {block + "attn.c_proj.weight", {16, 16}},
                                                 {block + "attn.c_proj.bias", {16}},
                                                 {block + "ln_2.weight", {16}},
                                                 {block + "ln_2.bias", {16}},
                                                 {block + "mlp.c_fc.weight", {16, 64}},
                                                 {block + "mlp.c_fc.bias", {64}},
                                                 {block + "mlp.c_proj.weight", {64, 16}},
                                                 {block + "mlp.c_proj.bias", {16}},
                                                 {"transformer.ln_f.weight", {16}},
                                                 {"transformer.ln_f.bias", {16}}};
  for (const auto& [name, shape] : expected) {
    ASSERT_TRUE(tied.contains(name)) << name;
    EXPECT_EQ(tied.at(name).shape(), shape) << name;
  }
}

TEST(ModelDirectory, ConfigHasWhatHuggingFaceNeeds) {
  const Saved saved;
  const Json config = saved.Config();
  EXPECT_EQ(config["model_type"], "gpt2");
  EXPECT_EQ(config["architectures"], Json::array({"GPT2LMHeadModel"}));
  EXPECT_EQ(config["vocab_size"], 23);
  EXPECT_EQ(config["n_positions"], 12);
  EXPECT_EQ(config["n_embd"], 16);
  EXPECT_EQ(config["n_layer"], 2);
  EXPECT_EQ(config["n_head"], 2);
  EXPECT_TRUE(config["n_inner"].is_null());
  EXPECT_EQ(config["activation_function"], "gelu_new");
  EXPECT_EQ(config["layer_norm_epsilon"], 1e-5);
  EXPECT_EQ(config["tie_word_embeddings"], true);
  for (const char* key : {"attn_pdrop", "embd_pdrop", "resid_pdrop"}) EXPECT_EQ(config[key], 0.0) << key;
  // Hugging Face's default, 50256, lies outside the vocabulary.
  EXPECT_EQ(config["bos_token_id"], 0);
  EXPECT_EQ(config["eos_token_id"], 0);
  // transformers refuses a file without this mark.
  EXPECT_EQ(io::SafetensorsReader(saved.path() / "model.safetensors").header().metadata,
            (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(Tokenizer::FromFile(saved.path() / "tokenizer.json").ToJson(), Tokenizer::Bytes().ToJson());
}

TEST(ModelDirectory, NamesWithAndWithoutPrefixLoadEqual) {
  for (const bool tied : {true, false}) {
    Saved saved(tied);
    saved.ChangeTensors([](auto& tensors) { tensors = WithoutPrefix(tensors, "transformer."); });
    ASSERT_TRUE(saved.Tensors().contains("wte.weight"));
    ExpectEqualModels(*saved.Load(), saved.model());
  }
}

TEST(ModelDirectory, RefusesAMixtureOfNames) {
  const std::string message =
      "D/model.safetensors: expected all tensor names with the prefix transformer. or none, found both";
  Saved saved;
  saved.ChangeTensors([](auto& tensors) {
    tensors["ln_f.bias"] = tensors["transformer.ln_f.bias"];
    tensors.erase("transformer.ln_f.bias");
  });
  EXPECT_EQ(saved.Error(), message);
  Saved twice;
  twice.ChangeTensors([](auto& tensors) { tensors["ln_f.bias"] = tensors["transformer.ln_f.bias"]; });
  EXPECT_EQ(twice.Error(), message);
}

TEST(ModelDirectory, IgnoresMaskBuffers) {
  for (const bool prefixed : {true, false}) {
    Saved saved;
    saved.ChangeTensors([&](auto& tensors) {
      if (!prefixed) tensors = WithoutPrefix(tensors, "transformer.");
      for (const std::string block : {"h.0.", "h.1."}) {
        const std::string name = (prefixed ? "transformer." : "") + block;
        tensors[name + "attn.bias"] = Tensor({1, 1, 12, 12});
        tensors[name + "attn.masked_bias"] = Tensor::Scalar(-10000);
      }
    });
    ExpectEqualModels(*saved.Load(), saved.model());
  }
}

// Older files store the mask as bytes or booleans, which hold no weights and are never read.
TEST(ModelDirectory, IgnoresMaskBuffersOfAnyType) {
  for (const std::string dtype : {"BOOL", "U8"}) {
    Saved saved;
    saved.AppendTensor("transformer.h.0.attn.bias", dtype, {1, 1, 12, 12}, std::string(144, '\1'));
    ExpectEqualModels(*saved.Load(), saved.model());
  }
}

// A copy of the embedding is what a tied model's head is; other numbers would be lost.
TEST(ModelDirectory, ATiedModelTakesACopyAsItsHeadAndNothingElse) {
  Saved saved;
  saved.ChangeTensors([](auto& tensors) { tensors["lm_head.weight"] = tensors["transformer.wte.weight"]; });
  ExpectEqualModels(*saved.Load(), saved.model());
  saved.ChangeTensors([](auto& tensors) { tensors["lm_head.weight"] = Tensor({23, 16}); });
  EXPECT_EQ(saved.Error(),
            "D/model.safetensors: expected lm_head.weight to be equal to wte.weight, as config.json has "
            "tie_word_embeddings = true, found other numbers");
}

// The cause of a missing or an extra tensor, where names tell it.
TEST(ModelDirectory, NamesTheOriginOfOtherNames) {
  Saved compiled;
  compiled.ChangeTensors([](auto& tensors) {
    std::map<std::string, Tensor> renamed;
    for (const auto& [name, value] : tensors) renamed["_orig_mod." + name] = value;
    tensors = renamed;
  });
  EXPECT_EQ(
      compiled.Error(),
      "D/model.safetensors: expected the tensor wte.weight with the prefix transformer. or none, found "
      "\"_orig_mod.transformer.wte.weight\" (_orig_mod. is the prefix of a compiled model; save the model inside it)");
  Saved rewarded;
  rewarded.ChangeTensors([](auto& tensors) { tensors["v_head.summary.bias"] = Tensor({1}); });
  EXPECT_EQ(rewarded.Error(),
            "D/model.safetensors: the tensor \"v_head.summary.bias\" belongs to no part of the model that its "
            "configuration describes, and it has no prefix transformer. (v_head. is the value head of a training with "
            "rewards; save "
            "the model without it)");
}

TEST(ModelDirectory, RefusesMissingTensors) {
  Saved saved(false);
  const std::map<std::string, Tensor> all = saved.Tensors();
  for (const auto& [name, value] : all) {
    std::map<std::string, Tensor> rest = all;
    rest.erase(name);
    saved.SetTensors(rest);
    const std::string own = name == "lm_head.weight" ? name : name.substr(std::string("transformer.").size());
    EXPECT_EQ(saved.Error(), "D/model.safetensors: the tensor " + own + " is missing");
  }
}

TEST(ModelDirectory, RefusesLeftOverTensors) {
  const std::string end = " belongs to no part of the model that its configuration describes";
  for (const std::string name : {"transformer.h.2.ln_1.bias", "transformer.h.0.attn.c_attn.extra", "lm_head.bias"}) {
    Saved saved;
    saved.ChangeTensors([&](auto& tensors) { tensors[name] = Tensor({16}); });
    EXPECT_EQ(saved.Error(), "D/model.safetensors: the tensor \"" + name + "\"" + end);
  }
  Saved fewer;  // layers than the file has
  fewer.ChangeConfig([](Json& config) { config["n_layer"] = 1; });
  EXPECT_EQ(fewer.Error(), "D/model.safetensors: the tensor \"transformer.h.1.attn.c_attn.bias\"" + end);
  Saved more;
  more.ChangeConfig([](Json& config) { config["n_layer"] = 3; });
  EXPECT_EQ(more.Error(), "D/model.safetensors: the tensor h.2.attn.c_attn.weight is missing");
}

TEST(ModelDirectory, RefusesOtherShapes) {
  const auto error = [](const std::string& name, Shape shape) {
    Saved saved;
    saved.ChangeTensors([&](auto& tensors) { tensors["transformer." + name] = Tensor(shape); });
    return saved.Error();
  };
  EXPECT_EQ(error("h.0.mlp.c_fc.weight", {64, 16}),  // nn.Linear's orientation
            "D/model.safetensors: expected h.0.mlp.c_fc.weight of shape [16, 64], found [64, 16]");
  EXPECT_EQ(error("wte.weight", {24, 16}),
            "D/model.safetensors: expected wte.weight of shape [23, 16], found [24, 16]");
  EXPECT_EQ(error("ln_f.bias", {1, 16}), "D/model.safetensors: expected ln_f.bias of shape [16], found [1, 16]");
  EXPECT_EQ(error("h.1.attn.c_attn.bias", {0}),
            "D/model.safetensors: expected h.1.attn.c_attn.bias of shape [48], found [0]");
  Saved wider;
  wider.ChangeConfig([](Json& config) { config["n_embd"] = 18; });
  EXPECT_EQ(wider.Error(), "D/model.safetensors: expected wte.weight of shape [23, 18], found [23, 16]");
}

TEST(ModelDirectory, MissingFieldsTakeDefaultsThatTheShapesContradict) {
  const auto error = [](const char* key) {
    Saved saved;
    saved.ChangeConfig([&](Json& config) { config.erase(key); });
    return saved.Error();
  };
  const std::string file = "D/model.safetensors: ";
  EXPECT_EQ(error("vocab_size"), file + "expected wte.weight of shape [50257, 16], found [23, 16]");
  EXPECT_EQ(error("n_positions"), file + "expected wpe.weight of shape [1024, 16], found [12, 16]");
  EXPECT_EQ(error("n_embd"), file + "expected wte.weight of shape [23, 768], found [23, 16]");
  EXPECT_EQ(error("n_layer"), file + "the tensor h.2.attn.c_attn.weight is missing");
  EXPECT_EQ(error("n_head"), "D/config.json: expected n_embd to be a multiple of n_head, found 16 and 12");
  for (const char* key : {"n_inner", "layer_norm_epsilon", "activation_function", "tie_word_embeddings", "bos_token_id",
                          "eos_token_id", "torch_dtype", "architectures"}) {
    EXPECT_EQ(error(key), "") << key;
  }
}

TEST(ModelDirectory, RefusesNumbersThatAreNotFinite) {
  // Changes the last float of the file, whose tensor the header names.
  for (const auto& [number, word] : {std::pair{std::numeric_limits<float>::quiet_NaN(), "NaN"},
                                     std::pair{std::numeric_limits<float>::infinity(), "infinity"}}) {
    Saved saved;
    const io::SafetensorsReader reader(saved.path() / "model.safetensors");
    const io::TensorEntry last = reader.header().entries.back();
    std::string bytes = Get(saved.path() / "model.safetensors");
    bytes.replace(bytes.size() - 4, 4, std::string(reinterpret_cast<const char*>(&number), 4));
    Put(saved.path() / "model.safetensors", bytes);
    const std::string message = saved.Error();
    EXPECT_TRUE(message.starts_with("D/model.safetensors: tensor \"" + last.name + "\" of shape ")) << message;
    EXPECT_NE(message.find(std::string(" holds ") + word + " at index "), message.npos) << message;
  }
}

}  // namespace
}  // namespace ampgrad::models
