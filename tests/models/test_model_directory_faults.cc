#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/model_directory.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// Directories that are no models.
namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

// A saved model whose config.json is replaced.
class WithConfig {
 public:
  WithConfig() { SaveModel(path(), *TinyGpt(9), Tokenizer::Bytes()); }
  fs::path path() const { return directory_.path(); }
  std::string Error() const {
    return MessageOf(path(), [&] { LoadModel(path()); });
  }
  std::string Error(const std::string& config) const {
    Put(path() / "config.json", config);
    return Error();
  }

 private:
  TempDir directory_;
};

TEST(ModelDirectory, ReportsMissingFiles) {
  const WithConfig saved;
  EXPECT_EQ(saved.Error(), "");
  fs::remove(saved.path() / "tokenizer.json");  // the model does not need it
  EXPECT_EQ(saved.Error(), "");
  fs::rename(saved.path() / "model.safetensors", saved.path() / "elsewhere");
  EXPECT_EQ(saved.Error(), "D: expected model.safetensors or model.safetensors.index.json, found neither");
  fs::remove(saved.path() / "config.json");
  EXPECT_EQ(saved.Error(), "D/config.json: no such file");
  fs::create_directory(saved.path() / "config.json");
  EXPECT_EQ(saved.Error(), "D/config.json: not a regular file");
  EXPECT_EQ(MessageOf(saved.path(), [&] { LoadModel(saved.path() / "none"); }),
            "D/none: no such model directory or GGUF file");
  EXPECT_EQ(MessageOf(saved.path(), [&] { LoadModel(saved.path() / "elsewhere"); }),
            "D/elsewhere: not a GGUF file: expected the bytes GGUF at its start");
}

TEST(ModelDirectory, TellsWhatIsThereInPlaceOfAModel) {
  const WithConfig saved;
  EXPECT_EQ(saved.Error(R"({"model_type":"llama","quantization_config":{"quant_method":"bitsandbytes"}})"),
            "D/config.json: quantization_config (bitsandbytes) is not supported: expected weights in F32, F16 or BF16, "
            "or in NF4 of bitsandbytes");
  fs::rename(saved.path() / "tokenizer.json", saved.path() / "tokenizer.model");
  EXPECT_EQ(MessageOf(saved.path(), [&] { LoadTokenizer(saved.path(), *TinyGpt(9)); }),
            "D/tokenizer.json: no such file; tokenizer.model must be converted: "
            "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of Hugging Face's transformers writes "
            "tokenizer.json");
  fs::remove(saved.path() / "config.json");
  EXPECT_EQ(saved.Error(), "D/config.json: no such file");
  Put(saved.path() / "adapter_config.json", "{}");
  EXPECT_EQ(saved.Error(), "D/adapter_config.json: a PEFT adapter, not a model; merge it into its base first");
}

// Two numbers of a small file must not take hundreds of gigabytes before they are compared with the weights.
TEST(ModelDirectory, TakesNoMemoryForSizesThatTheFileDoesNotHave) {
  const WithConfig saved;
  nlohmann::json config = nlohmann::json::parse(Get(saved.path() / "config.json"));
  config["n_embd"] = 1'000'000;
  config["n_layer"] = 4096;
  Tensor::ResetPeakBytes();
  const Index before = Tensor::PeakBytes();
  EXPECT_EQ(saved.Error(config.dump()),
            "D/model.safetensors: expected wte.weight of shape [23, 1000000], found [23, 16]");
  EXPECT_EQ(Tensor::PeakBytes(), before);
}

// Nobody named the file that such a link leads to.
TEST(ModelDirectory, FollowsNoLinkOutOfTheDirectory) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const WithConfig saved;
    const TempDir elsewhere;
    const fs::path target = fs::canonical(elsewhere.path()) / "secret";
    fs::rename(saved.path() / name, target);
    fs::create_symlink(target, saved.path() / name);
    const auto load = [&] { LoadTokenizer(saved.path(), *LoadModel(saved.path())); };
    EXPECT_EQ(MessageOf(saved.path(), load),
              std::string("D/") + name + ": expected a file in this directory, found a link to " + target.string());
  }
}

TEST(ModelDirectory, RefusesAConfigThatIsNoObject) {
  const WithConfig saved;
  const std::string invalid = "D/config.json: not valid JSON: ";
  for (const std::string text : {"", " ", "{", "{\"model_type\":\"gpt2\",}", "{} {}", "{'a':1}", "{\"a\":\"\xFF\"}"}) {
    EXPECT_TRUE(saved.Error(text).starts_with(invalid)) << text << ": " << saved.Error(text);
  }
  for (const auto& [text, type] : {std::pair{"[]", "array"}, std::pair{"null", "null"}, std::pair{"7", "number"},
                                   std::pair{"\"gpt2\"", "string"}, std::pair{"true", "boolean"}}) {
    EXPECT_EQ(saved.Error(text), std::string("D/config.json: expected a JSON object, found ") + type);
  }
  EXPECT_EQ(saved.Error(R"({"model_type":"gpt2","model_type":"gpt2"})"),
            "D/config.json: the key \"model_type\" stands twice");
  EXPECT_EQ(saved.Error("{\"a\":" + std::string(100'000, '[')), "D/config.json: JSON nested deeper than 64");
}

// Hugging Face's reader refuses it too.
TEST(ModelDirectory, RefusesAByteOrderMark) {
  const WithConfig saved;
  const std::string config = Get(saved.path() / "config.json");
  EXPECT_TRUE(saved.Error("\xEF\xBB\xBF" + config).starts_with("D/config.json: ")) << "it was accepted";
}

TEST(ModelDirectory, RefusesOtherArchitectures) {
  const WithConfig saved;
  for (const std::string type : {"mistral", "t5", "GPT2", ""}) {
    EXPECT_EQ(saved.Error(R"({"model_type":")" + type + "\"}"),
              "D/config.json: expected model_type to be \"gpt2\" or \"llama\", found \"" + type + "\"");
  }
  EXPECT_TRUE(saved.Error("{}").ends_with(", found nothing"));
  EXPECT_EQ(saved.Error(R"({"model_type":2})"), "D/config.json: expected model_type to be a string, found 2");
}

// The messages about fields are tested in test_gpt.cc; this test is about the name of the file in them.
TEST(ModelDirectory, NamesTheFileOfAWrongField) {
  const WithConfig saved;
  const std::string error = saved.Error(R"({"model_type":"gpt2","n_layer":"12"})");
  EXPECT_TRUE(error.starts_with("D/config.json: expected n_layer to be ")) << error;
}

}  // namespace
}  // namespace ampgrad::models
