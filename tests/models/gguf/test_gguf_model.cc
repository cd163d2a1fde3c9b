#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "ct/adapter/base_weights.h"
#include "models/files/model_texts.h"
#include "models/gguf/gguf_tokenizer_values.h"
#include "models/gguf/gguf_values.h"
#include "models/gguf_model_writer.h"
#include "models/model_directory.h"
#include "nn/forms/frozen.h"
#include "tensor/io/gguf/gguf_reader.h"
#include "tests/support/files.h"
#include "tests/support/golden.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "tests/tensor/io/gguf/gguf_bytes.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

Tensor SampleLogits(LanguageModel& model) {
  Tape tape;
  return model.Logits(tape, {1, 5, 3, 9, 2, 7}, 6).value;
}

class GgufModels : public ::testing::TestWithParam<const char*> {};

// Hugging Face's directory and the GGUF file that is written of it are one model: rows in pairs, transposed matrices.
TEST_P(GgufModels, AreTheModelsTheyWereWrittenOf) {
  const TempDir directory;
  const fs::path file = directory.path() / "m.gguf";
  const std::unique_ptr<LanguageModel> model = LoadModel(Golden(GetParam()));
  EXPECT_EQ(WriteGgufModel(file, *model, Golden(GetParam()), io::GgmlType::kF32), 0);
  const std::unique_ptr<LanguageModel> read = LoadModel(file);
  EXPECT_TRUE(SameBits(SampleLogits(*read), SampleLogits(*model)));
  nlohmann::json config = read->Config(), expected = model->Config();
  EXPECT_EQ(config, expected);
  EXPECT_TRUE(
      SameBits(SampleLogits(*LoadModel(directory.path())), SampleLogits(*model)));  // the only file of the directory
}

INSTANTIATE_TEST_SUITE_P(Files, GgufModels, ::testing::Values("gpt2-tiny", "llama-tiny"), [](const auto& info) {
  return std::string(info.param).substr(0, std::string(info.param).find('-'));
});

// A GPT-2's matrices stay where they are, although Hugging Face's form is their transpose; and are the same weights.
TEST(GgufModel, KeepsTheBlocksOfAGpt2InTheFile) {
  const TempDir directory;
  GptConfig config = TinyConfig();
  config.n_embd = 32;
  Gpt model(config);
  Randomise(model, 1);
  Put(directory.path() / "config.json", "{}");
  WriteGgufModel(directory.path() / "m.gguf", model, directory.path(), io::GgmlType::kQ8_0);
  fs::remove(directory.path() / "config.json");
  const std::unique_ptr<LanguageModel> read = LoadModel(directory.path() / "m.gguf");
  const std::unique_ptr<LanguageModel> wide = LoadModel(directory.path() / "m.gguf");
  std::set<std::string> names;
  for (nn::Matrix* matrix : wide->Parts().matrices) {
    const StoredTensor floats = Rounded(matrix->form->Merged().Widened(), StoredType::kF32);
    matrix->form = std::make_unique<nn::Frozen>(floats, matrix->layout);
    if (matrix->kind == nn::MatrixKind::kBlock) names.insert(matrix->name);
  }
  for (const nn::Matrix* matrix : read->Parts().matrices) {
    if (!names.contains(matrix->name)) continue;
    const StoredTensor weight = matrix->form->Merged();
    EXPECT_EQ(weight.type(), StoredType::kQ8_0);
    EXPECT_EQ(weight.shape(), matrix->StoredShape());
    EXPECT_EQ(matrix->form->MappedBytes(), weight.bytes());
  }
  EXPECT_TRUE(SameBits(SampleLogits(*read), SampleLogits(*wide)));
  EXPECT_EQ(ct::BaseWeights(read->Parts()).HashOf(names), ct::BaseWeights(wide->Parts()).HashOf(names));
  fs::create_directory(directory.path() / "saved");
  SaveModel(directory.path() / "saved", *read, Tokenizer::Bytes());
  EXPECT_TRUE(SameBits(SampleLogits(*LoadModel(directory.path() / "saved")), SampleLogits(*wide)));
}

// Queries and keys are in another order in the file. Their copies count as memory, all else as mapped.
TEST(GgufModel, CountsTheQueriesAndKeysThatItCopies) {
  const TempDir directory;
  const std::unique_ptr<LanguageModel> model = LoadModel(Golden("llama-tiny"));
  WriteGgufModel(directory.path() / "m.gguf", *model, Golden("llama-tiny"), io::GgmlType::kF16);
  const std::unique_ptr<LanguageModel> read = LoadModel(directory.path() / "m.gguf");
  for (const nn::Matrix* matrix : read->Parts().matrices) {
    const bool copied =
        matrix->name.find("q_proj") != std::string::npos || matrix->name.find("k_proj") != std::string::npos;
    EXPECT_EQ(matrix->form->MappedBytes(), copied ? 0 : matrix->form->Merged().bytes()) << matrix->name;
  }
}

// llama.cpp's order, by hand: of each head of 4 rows, 0 and 2, then 1 and 3.
TEST(GgufModel, PairsTheRowsOfQueriesAndKeys) {
  const TempDir directory;
  const std::unique_ptr<LanguageModel> model = LoadModel(Golden("llama-tiny"));
  WriteGgufModel(directory.path() / "m", *model, Golden("llama-tiny"), io::GgmlType::kF32);
  const io::GgufReader file(directory.path() / "m");
  const Index head_dim = model->Config().at("head_dim");
  for (const nn::Matrix* matrix : model->Parts().matrices) {
    if (!matrix->name.starts_with("layers.0.self_attn.k")) continue;
    const Tensor own = matrix->form->Merged().Widened();
    const Tensor stored = file.ReadStored("blk.0.attn_k.weight").Widened();
    for (Index row = 0; row < own.rows(); ++row) {
      const Index head = row / head_dim, i = row % head_dim, half = head_dim / 2;
      const Index place = head * head_dim + 2 * (i % half) + i / half;
      for (Index j = 0; j < own.cols(); ++j) ASSERT_EQ(stored.row(place)[j], own.row(row)[j]);
    }
    return;
  }
  FAIL() << "no keys";
}

std::string LoadError(const fs::path& directory, const GgufBytes& file) {
  Put(directory / "m.gguf", file.bytes);
  return MessageOf(directory, [&] { LoadModel(directory / "m.gguf"); });
}

TEST(GgufModel, RefusesWhatIsNoModel) {
  const TempDir directory;
  EXPECT_EQ(LoadError(directory.path(), GgufBytes().Start(0, 0)),
            "D/m.gguf: expected general.architecture to be \"llama\" or \"gpt2\", found nothing");
  EXPECT_EQ(LoadError(directory.path(), GgufBytes().Start(0, 1).String("general.architecture", "mamba")),
            "D/m.gguf: expected general.architecture to be \"llama\" or \"gpt2\", found \"mamba\"");
  EXPECT_EQ(LoadError(directory.path(), GgufBytes().Start(0, 1).String("general.type", "adapter")),
            "D/m.gguf: an adapter for llama.cpp, not a model");
  EXPECT_EQ(LoadError(directory.path(), GgufBytes().Start(0, 1).String("general.architecture", "llama")),
            "D/m.gguf: expected llama.embedding_length to be an integer in 1..2147483647, found nothing");
  GgufBytes later;
  later.Start(0, 2).String("general.architecture", "llama").U32("split.no", 1);
  EXPECT_EQ(LoadError(directory.path(), later),
            "D/m.gguf: expected split.no to be 0, as the first part of a split model is to be named, found 1");
  EXPECT_EQ(MessageOf(directory.path(), [&] { LoadModel(directory.path() / "none.gguf"); }),
            "D/none.gguf: no such model directory or GGUF file");
  Put(directory.path() / "n.gguf", "");
  EXPECT_EQ(MessageOf(directory.path(), [&] { LoadModel(directory.path()); }),
            "D: expected one GGUF file, found 2, such as m.gguf and n.gguf; name one of them");
}

// The tensors of a file over two parts, as llama.cpp's gguf-split writes them.
TEST(GgufModel, ReadsPartsOfASplitModel) {
  const TempDir directory;
  const fs::path whole = directory.path() / "whole" / "m.gguf";
  fs::create_directory(whole.parent_path());
  const std::unique_ptr<LanguageModel> model = LoadModel(Golden("llama-tiny"));
  WriteGgufModel(whole, *model, Golden("llama-tiny"), io::GgmlType::kF32);
  const io::GgufReader reader(whole);
  const auto part_path = [&](int part) {
    return directory.path() / ("m-0000" + std::to_string(part + 1) + "-of-00002.gguf");
  };
  for (uint16_t part = 0; part < 2; ++part) {
    GgufBytes header;
    std::string data;
    uint64_t tensors = 0;
    GgufBytes infos;
    for (size_t i = part; i < reader.header().tensors.size(); i += 2, ++tensors) {
      const io::GgufTensor& tensor = reader.header().tensors[i];
      std::vector<uint64_t> extents;
      for (int d = tensor.shape.rank() - 1; d >= 0; --d) extents.push_back(tensor.shape.dim(d));
      data.resize((data.size() + 31) / 32 * 32);
      infos.Tensor(tensor.name, extents, 0, data.size());
      data += Get(whole).substr(tensor.begin, tensor.end - tensor.begin);
    }
    const nlohmann::json config = model->Config();
    header.Start(tensors, part == 0 ? 13 : 2);
    header.Text("split.no").Add<uint32_t>(2).Add<uint16_t>(part).Text("split.count").Add<uint32_t>(2).Add<uint16_t>(2);
    if (part == 0) {
      header.String("general.architecture", "llama").U32("llama.context_length", config.at("max_position_embeddings"));
      header.U32("llama.embedding_length", config.at("hidden_size"));
      header.U32("llama.block_count", config.at("num_hidden_layers"));
      header.U32("llama.feed_forward_length", config.at("intermediate_size"));
      header.U32("llama.attention.head_count", config.at("num_attention_heads"));
      header.U32("llama.attention.head_count_kv", config.at("num_key_value_heads"));
      header.U32("llama.attention.key_length", config.at("head_dim"));
      header.Text("llama.attention.layer_norm_rms_epsilon")
          .Add<uint32_t>(6)
          .Add(config.at("rms_norm_eps").get<float>());
      header.U32("llama.vocab_size", config.at("vocab_size"));
      header.Text("llama.rope.freq_base").Add<uint32_t>(6).Add(config.at("rope_theta").get<float>());
    }
    header.bytes += infos.bytes;
    header.Data(0);
    Put(part_path(part), header.bytes + data);
  }
  EXPECT_TRUE(SameBits(SampleLogits(*LoadModel(part_path(0))), SampleLogits(*model)));
  fs::remove(part_path(1));
  EXPECT_EQ(MessageOf(directory.path(), [&] { LoadModel(part_path(0)); }),
            "D/m-00001-of-00002.gguf: part 2 of 2, \"m-00002-of-00002.gguf\", is missing");
}

TEST(GgufModel, HoldsTheTokensOfItsTokenizer) {
  const TempDir directory;
  Put(directory.path() / "config.json", R"({"model_type":"llama","bos_token_id":1,"eos_token_id":2})");
  const nlohmann::json tokenizer = nlohmann::json::parse(Get(Golden("tokenizers/llama") / "tokenizer.json"));
  const fs::path file = directory.path() / "t.gguf";
  nlohmann::json own = {{"eos_token", "</s>"}, {"chat_template", "{{ x }}"}};
  io::GgufValues values = TokenizerValues(tokenizer, own, {{"bos_token_id", 1}}, 800);
  values.emplace_back("general.architecture", std::string("llama"));
  io::GgufWriter(file, values, {}).Commit();
  EXPECT_EQ(RequireModelText(file, "tokenizer_config.json").json,
            nlohmann::json(
                {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"chat_template", "{{ x }}"}}));
  EXPECT_EQ(RequireModelText(file, "generation_config.json").json, nlohmann::json({{"eos_token_id", {2}}}));
  EXPECT_EQ(RequireModelText(file, "tokenizer.json").json.at("model").at("vocab").size(),
            783u);  // rows without a token have none
}

#ifdef AMPGRAD_SHARED_DIR
// The golden file holds block matrices as ggml's reference quantiser makes them.
TEST(GgufModel, HasTheBytesOfTheReferenceQuantiser) {
  const TempDir directory;
  const fs::path source = Shared("golden/gguf-stories/model.gguf"), file = directory.path() / "m.gguf";
  WriteGgufModel(file, *LoadModel(source), source, io::GgmlType::kQ8_0);
  EXPECT_EQ(RequireModelText(file, "generation_config.json").json.at("eos_token_id"), nlohmann::json({2}));
  const io::GgufReader golden(Shared("golden/gguf-stories-q8/model.gguf")), own(file);
  Index compared = 0;
  for (const io::GgufTensor& tensor : golden.header().tensors) {
    if (tensor.type != io::GgmlType::kQ8_0) continue;
    const StoredTensor a = own.ReadStored(tensor.name), b = golden.ReadStored(tensor.name);
    ASSERT_EQ(a.type(), b.type()) << tensor.name;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(b.bytes())), 0) << tensor.name;
    ++compared;
  }
  EXPECT_EQ(compared, 30);
}
#endif

}  // namespace
}  // namespace ampgrad::models
