#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ct/adapter/convert.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors_reader.h"
#include "tests/ct/adapter/peft_cases.h"
#include "tests/reference/numbers.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// Adapters that PEFT saved, and adapters with a fault.
namespace ampgrad::ct {
namespace {

namespace fs = std::filesystem;

TEST(PeftReader, GivesTheLogitsOfPeft) {
  const double bound = sizeof(Real) == sizeof(float) ? 1e-5 : 1e-12;
  const std::vector<fs::path> cases = PeftCases();
  EXPECT_EQ(cases.size(), 22u);
  for (const fs::path& directory : cases) {
    SCOPED_TRACE(directory.filename());
    const io::SafetensorsReader expected(directory / "expected.safetensors");
    const std::vector<int64_t> ids = expected.ReadInts("input_ids");
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      const auto model = BaseOf(directory);
      ApplyLowRank(Read(directory, *model), model->Parts(), chain);
      const Tensor logits = LogitsOf(*model, {ids.begin(), ids.end()}, static_cast<Index>(ids.size()));
      const double error = RelativeError(logits, expected.ReadReal("logits"));
      EXPECT_TRUE(error <= bound) << error;
    }
  }
}

TEST(PeftReader, NamesMatricesAsTheModelDoes) {
  const fs::path directory = Golden("peft/gpt2-norms");
  const auto model = BaseOf(directory);
  const LowRankAdapter adapter = Read(directory, *model);
  ASSERT_EQ(adapter.updates.size(), 2u);
  EXPECT_EQ(adapter.updates[1].matrix, "h.1.attn.c_proj.weight");
  EXPECT_EQ(adapter.updates[1].a.shape(), Shape({3, 32}));
  EXPECT_EQ(adapter.updates[1].b.shape(), Shape({32, 3}));
  EXPECT_EQ(adapter.updates[1].scale, 2);
  EXPECT_TRUE(adapter.updates[1].magnitude.empty());
  ASSERT_EQ(adapter.whole.size(), 10u);
  EXPECT_EQ(adapter.whole[0].name, "h.0.ln_1.weight");
  EXPECT_EQ(adapter.whole[9].name, "ln_f.bias");
}

TEST(PeftReader, NamesTheFaultOfEachFaultyAdapter) {
  const fs::path faulty = Golden("peft/faulty");
  const nlohmann::json named = io::ReadJsonObject(faulty / "named.json");
  EXPECT_EQ(named.size(), 21u);
  for (const auto& [name, what] : named.items()) {
    const auto model = BaseOf(name);
    const std::string message = MessageOf(faulty / name, [&] { Read(faulty / name, *model); });
    EXPECT_NE(message.find(what), message.npos) << name << ": " << message;
    EXPECT_EQ(message.find('\n'), message.npos) << name << ": " << message;
  }
}

TEST(PeftReader, SaysWhatIsWrongAndWhere) {
  const auto error = [](const std::string& name) {
    const auto model = BaseOf(name);
    const fs::path directory = Golden("peft/faulty/" + name);
    return MessageOf(directory, [&] { Read(directory, *model); });
  };
  const std::string file = "D/adapter_model.safetensors: ";
  const std::string a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const std::string b = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
  const std::string surplus = "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight";
  EXPECT_EQ(error("llama-missing-key"), file + "the tensor " + b + " is missing");
  EXPECT_EQ(error("llama-wrong-shape"), file + "expected " + a + " of shape [3, 32], found [3, 31]");
  EXPECT_EQ(error("llama-rank-differs"), file + "expected " + a + " of shape [4, 32], found [3, 32]");
  EXPECT_EQ(error("llama-not-finite"),
            file + "tensor \"" + a + "\" of shape [3, 32] holds NaN at index 0, expected finite numbers");
  EXPECT_EQ(error("llama-surplus-key"),
            file + "the tensor \"" + surplus + "\" belongs to no part of the model that adapter_config.json names");
  EXPECT_EQ(error("llama-no-weights"), "D/adapter_model.safetensors: cannot open the file: No such file or directory");
  EXPECT_EQ(error("llama-no-config"), "D/adapter_config.json: no such file");
}

// Copies of golden adapters with another configuration.
class ChangedAdapter {
 public:
  explicit ChangedAdapter(const std::string& name) : model(BaseOf(name)) {
    fs::copy(Golden("peft/" + name), directory_.path(), fs::copy_options::recursive);
    config = io::ReadJsonObject(path() / "adapter_config.json");
  }
  fs::path path() const { return directory_.path(); }
  std::string Error() const {
    Put(path() / "adapter_config.json", config.dump());
    return MessageOf(path(), [&] { Read(path(), *model); });
  }

  std::unique_ptr<models::LanguageModel> model;
  nlohmann::json config;

 private:
  TempDir directory_;
};

TEST(PeftReader, FanInFanOutTellsNothingNew) {
  ChangedAdapter adapter("gpt2-dora");
  adapter.config["fan_in_fan_out"] = false;
  EXPECT_EQ(adapter.Error(), "");
}

TEST(PeftReader, ATiedMatrixHasNoAdapter) {
  ChangedAdapter adapter("gpt2-positions");
  adapter.config["target_modules"] = {"wte"};
  EXPECT_EQ(adapter.Error(),
            "D/adapter_config.json: an adapter of wte.weight is not supported, as the head of this model is the same "
            "matrix");
  adapter.config["target_modules"] = {"c_attn"};
  adapter.config["modules_to_save"] = {"wte"};
  EXPECT_EQ(adapter.Error(),
            "D/adapter_config.json: an adapter of wte.weight is not supported, as the head of this model is the same "
            "matrix");
}

TEST(PeftReader, AnEmbeddingHasNoMagnitude) {
  ChangedAdapter adapter("llama-embedding");
  adapter.config["use_dora"] = true;
  EXPECT_EQ(adapter.Error(), "D/adapter_config.json: use_dora is not supported for the embedding embed_tokens.weight");
}

TEST(PeftReader, AMagnitudeIsATensorAsAnyOther) {
  ChangedAdapter lora("llama-lora"), dora("llama-dora");
  lora.config["use_dora"] = true;
  EXPECT_EQ(lora.Error(),
            "D/adapter_model.safetensors: the tensor "
            "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector is missing");
  dora.config["use_dora"] = false;
  EXPECT_EQ(dora.Error(),
            "D/adapter_model.safetensors: the tensor "
            "\"base_model.model.model.layers.0.mlp.down_proj.lora_magnitude_vector\" belongs to no part "
            "of the model that adapter_config.json names");
}

TEST(PeftReader, AnAdapterChangesSomething) {
  ChangedAdapter adapter("llama-lora");
  adapter.config["target_modules"] = {"c_attn"};
  Put(adapter.path() / "adapter_model.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(adapter.Error(),
            "D/adapter_config.json: expected target_modules to name a matrix of the model, found none that it has");
}

TEST(PeftReader, FilesAreTheDirectorysOwn) {
  ChangedAdapter adapter("llama-lora");
  fs::remove(adapter.path() / "adapter_model.safetensors");
  Put(adapter.path() / "adapter_model.bin", "");
  EXPECT_EQ(adapter.Error(),
            "D/adapter_model.safetensors: no such file; adapter_model.bin is not supported: save the "
            "adapter as safetensors");
  const fs::path elsewhere = Golden("peft/llama-lora/adapter_model.safetensors");
  fs::create_symlink(elsewhere, adapter.path() / "adapter_model.safetensors");
  EXPECT_EQ(adapter.Error(), "D/adapter_model.safetensors: expected a file in this directory, found a link to " +
                                 fs::canonical(elsewhere).string());
}

TEST(PeftReader, AConfigurationHasABoundedSize) {
  ChangedAdapter adapter("llama-lora");
  adapter.config["revision"] = std::string(256 << 10, ' ');
  EXPECT_TRUE(adapter.Error().starts_with("D/adapter_config.json: expected at most 262144 bytes, found "))
      << adapter.Error();
}

}  // namespace
}  // namespace ampgrad::ct
